package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"
)

// Config is how a dashboard behaves. Only Auth must be given.
type Config struct {
	// Auth decides who a request is from and what they may do: BasicAuth, an
	// AuthFunc of your own, or AllowEveryone; ReadOnlyFor and DenyFor limit one.
	Auth Auth

	// ReadOnly takes all rights to change anything, whoever asks.
	ReadOnly bool

	// Title is the name in the corner, to tell dashboards apart.
	//
	// Defaults to "Resque".
	Title string

	// BackURL is where the link back to your application leads. Empty means none.
	BackURL string

	// PerPage is how many failures or jobs a page has.
	//
	// Defaults to 25.
	PerPage int

	// Refresh is how often an open page fetches itself again, until its reader
	// chooses otherwise. Negative means not at all.
	//
	// Defaults to 5 seconds.
	Refresh time.Duration

	// StaleAfter is how long a worker may be silent before it is shown as stale
	// and may be pruned.
	//
	// Defaults to 5 minutes, as in Resque.
	StaleAfter time.Duration

	// KeepRemoved is how long what was removed can be brought back. Negative
	// means not at all.
	//
	// Defaults to 24 hours.
	KeepRemoved time.Duration

	// KeepAtMost is how many entries that were removed are kept all in all: the
	// oldest go first, whatever KeepRemoved says. The last action's are always kept.
	//
	// Defaults to 500,000.
	KeepAtMost int64

	// RedactKeys are the keys of hash arguments whose values are not shown, at
	// any depth and in any case.
	RedactKeys []string

	// HideArgs shows no arguments at all.
	HideArgs bool

	// FormatArgs is how the arguments of a job are shown; an empty answer leaves
	// them as they are, as JSON. It sees them without what RedactKeys takes out, and
	// is not asked where HideArgs is set. It must be quick, and safe for concurrent
	// use, as JobLinks must.
	FormatArgs func(job Job) string

	// JobLinks are links that a job's page has, to your application's records say.
	JobLinks func(job Job) []Link

	// ExtraTabs stand behind the dashboard's own in its navigation.
	ExtraTabs []Tab

	// AllowedHosts are the Host headers that are answered, without ports, against
	// DNS rebinding. Empty means all.
	AllowedHosts []string

	// TrustedOrigins are origins, such as "https://admin.example.com", that may
	// post although they are not this host: of a proxy that rewrites Host.
	TrustedOrigins []string

	// OnAction is told of every change that was asked for, refused ones too.
	//
	// Defaults to a line in Logger's log.
	OnAction func(ctx context.Context, a Action)

	// Logger gets what goes wrong.
	//
	// Defaults to slog.Default().
	Logger *slog.Logger
}

// Action is a change that somebody asked for.
type Action struct {
	User   string
	Name   string // "retry", "remove", "clear", "pause", …
	Target string // what was to be changed
	Count  int64  // how many were
	Err    error  // why nothing, or not all, was done
}

// withDefaults returns c with its gaps filled, or all its mistakes.
func (c Config) withDefaults() (Config, error) {
	mistakes := []error{checkAuth(c.Auth)}
	if c.PerPage < 0 {
		mistakes = append(mistakes, fmt.Errorf("web: PerPage is %d; it must be at least 1", c.PerPage))
	}
	if c.StaleAfter < 0 {
		mistakes = append(mistakes, fmt.Errorf("web: StaleAfter is %v; it must not be negative", c.StaleAfter))
	}
	c.Title = cmp.Or(c.Title, "Resque")
	c.PerPage = min(cmp.Or(c.PerPage, 25), 500)
	c.Refresh = cmp.Or(c.Refresh, 5*time.Second)
	c.StaleAfter = cmp.Or(c.StaleAfter, 5*time.Minute)
	c.KeepRemoved = cmp.Or(c.KeepRemoved, 24*time.Hour)
	c.KeepAtMost = cmp.Or(c.KeepAtMost, 500_000)
	c.RedactKeys = slices.Clone(c.RedactKeys)
	c.AllowedHosts = slices.Clone(c.AllowedHosts)
	c.ExtraTabs = slices.Clone(c.ExtraTabs)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.OnAction == nil {
		log := c.Logger
		c.OnAction = func(_ context.Context, a Action) {
			if a.Err != nil {
				log.Warn("dashboard action", "user", a.User, "action", a.Name, "target", a.Target, "count", a.Count, "err", a.Err)
				return
			}
			log.Info("dashboard action", "user", a.User, "action", a.Name, "target", a.Target, "count", a.Count)
		}
	}
	return c, errors.Join(mistakes...)
}

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
