package web

import (
	"encoding/json"
	"net/url"
	"slices"
)

// Job is a job as FormatArgs and JobLinks see it.
type Job struct {
	Class string // of Rails's job, where it is one
	ID    string // Rails's; empty for others
	Args  []json.RawMessage
}

// Link is a link that JobLinks adds to a job.
type Link struct{ Text, URL string }

// Tab is a link of your own in the dashboard's navigation. An URL without a scheme
// or a slash in front leads below the dashboard's mount.
type Tab struct{ Title, URL string }

// isWeb tells an address that a link may have: none that runs a script.
func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "" || u.Scheme == "http" || u.Scheme == "https")
}

// extend adds to a job what the application says of it.
func (h *Dashboard) extend(job *shownJob) {
	if job.Bad || h.cfg.HideArgs {
		return
	}
	j := Job{Class: job.Class, ID: job.ID, Args: job.Args}
	if h.cfg.FormatArgs != nil {
		job.Text = h.cfg.FormatArgs(j)
	}
	if h.cfg.JobLinks != nil {
		job.Links = slices.DeleteFunc(slices.Clone(h.cfg.JobLinks(j)), func(l Link) bool { return !isWeb(l.URL) })
	}
}
