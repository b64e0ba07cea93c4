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

	"github.com/goresque/goresque/resque"
)

// Config configures a dashboard. Only Auth is required.
type Config struct {
	// Auth decides who sent a request and what the user may do. Use BasicAuth, an
	// AuthFunc or AllowEveryone. ReadOnlyFor and DenyFor take rights away from the
	// users of another Auth.
	Auth Auth

	// ReadOnly lets users read only, whatever rights Auth gives them.
	ReadOnly bool

	// Title is the name in the header of every page. It distinguishes several
	// dashboards.
	//
	// Defaults to "Resque".
	Title string

	// BackURL is the address of your application. If it is set, every page has a link
	// to it.
	BackURL string

	// PerPage is the number of failures or jobs on a page, at most 500, until the user
	// chooses another one on the page.
	//
	// Defaults to 25.
	PerPage int

	// Refresh is the time between two updates of an open page, until the user chooses
	// another one on the page. If it is negative, pages do not update by themselves.
	//
	// By default pages update about a second after a change, if Run runs, and otherwise
	// every 5 seconds.
	Refresh time.Duration

	// KeepHistory makes Run keep the counters of processed and failed jobs in Redis, for
	// the page of history, up to 180 days. Go workers with the setting Metrics also keep
	// them. It writes at most twice a minute. Without it, the dashboard writes nothing
	// unless a user changes something.
	KeepHistory bool

	// StaleAfter is the age of a heartbeat at which a worker counts as stale. A stale
	// worker may be pruned.
	//
	// Defaults to 5 minutes, as in Resque.
	StaleAfter time.Duration

	// LongAfter is the running time after which a running job is marked as long.
	//
	// Defaults to 1 hour.
	LongAfter time.Duration

	// Prune has the options with which dead workers are pruned. The dashboard itself sets
	// Silent, Heartbeat and Force. Give it the Handler, the failure lists and the failure
	// backends of your workers: without a Handler, no failure hooks are called, and Rails'
	// jobs are recorded with the class of their wrapper.
	//
	// Defaults to what Resque does: the job fails, in the list "failed".
	Prune resque.PruneOptions

	// SchedulerLockPrefix is the prefix of the lock of the schedulers, if they have one:
	// RESQUE_SCHEDULER_MASTER_LOCK_PREFIX, or LockPrefix of scheduler.Config.
	SchedulerLockPrefix string

	// DoctorEvery is how often [Dashboard.Run] makes the checks of package doctor, for the
	// metric resque_doctor_findings. They read all keys of the namespace.
	//
	// It must be at least MinDoctorEvery. Defaults to never: only the page Doctor makes the
	// checks, when a user opens it.
	DoctorEvery time.Duration

	// KeepRemoved is how long removed jobs and failures can be restored. If it is
	// negative, they are deleted at once.
	//
	// Defaults to 24 hours.
	KeepRemoved time.Duration

	// KeepAtMost is the largest number of removed entries that are kept in total.
	// Beyond it, the oldest are deleted, even before KeepRemoved has passed. What the
	// last action removed is always kept.
	//
	// Defaults to 500,000.
	KeepAtMost int64

	// RedactKeys are the keys of hash arguments whose values are hidden, at any
	// depth. Case does not matter.
	RedactKeys []string

	// HideArgs hides the arguments of all jobs.
	HideArgs bool

	// FormatArgs returns the text that a page shows for the arguments of a job. If it
	// returns "", the page shows them as JSON. It gets the arguments without the
	// values that RedactKeys hides, and is not called if HideArgs is set. It must be
	// fast and safe for concurrent use.
	FormatArgs func(job Job) string

	// JobLinks returns links that are shown with a job, for example to the records of
	// your application. It must be fast and safe for concurrent use.
	JobLinks func(job Job) []Link

	// ExtraTabs are added to the navigation after the dashboard's own tabs.
	ExtraTabs []Tab

	// AllowedHosts are the values of the Host header, without a port, that are
	// served. They protect against DNS rebinding. If it is empty, all are served.
	AllowedHosts []string

	// TrustedOrigins are further origins, such as "https://admin.example.com", that
	// may send forms. They are needed behind a proxy that changes the Host header.
	TrustedOrigins []string

	// OnAction is called for every requested change, including refused ones.
	//
	// By default each change is logged with Logger.
	OnAction func(ctx context.Context, a Action)

	// Logger gets errors and warnings.
	//
	// Defaults to slog.Default().
	Logger *slog.Logger
}

// Action is a change that a user requested.
type Action struct {
	User   string
	Name   string // "retry", "remove", "clear", "pause", …
	Target string // the queue, failure, worker or list to change
	Count  int64  // number of entries changed
	Err    error  // why nothing was changed, or not everything
}

// MinDoctorEvery is the least that Config.DoctorEvery can be. The checks take seconds if
// there are many keys.
const MinDoctorEvery = 10 * time.Second

// minStale is the least StaleAfter. With less, workers that live would be stale.
const minStale = 2 * time.Second

// withDefaults returns c with its defaults filled in, or an error with all its
// mistakes.
func (c Config) withDefaults() (Config, error) {
	mistakes := []error{checkAuth(c.Auth), c.Prune.Validate()}
	if c.PerPage < 0 {
		mistakes = append(mistakes, fmt.Errorf("web: PerPage is %d; it must be at least 1", c.PerPage))
	}
	if c.Refresh > 0 && c.Refresh < time.Second {
		mistakes = append(mistakes, fmt.Errorf("web: Refresh is %v; it must be at least 1s, or negative for never", c.Refresh))
	}
	if c.StaleAfter != 0 && c.StaleAfter < minStale {
		mistakes = append(mistakes, fmt.Errorf("web: StaleAfter is %v; it must be at least %v, because heartbeats are written in whole seconds", c.StaleAfter, minStale))
	}
	if c.DoctorEvery != 0 && c.DoctorEvery < MinDoctorEvery {
		mistakes = append(mistakes, fmt.Errorf("web: DoctorEvery is %v; it must be at least %v, or 0 for never", c.DoctorEvery, MinDoctorEvery))
	}
	if c.LongAfter < 0 {
		mistakes = append(mistakes, fmt.Errorf("web: LongAfter is %v; it must not be negative", c.LongAfter))
	}
	c.Title = cmp.Or(c.Title, "Resque")
	c.PerPage = min(cmp.Or(c.PerPage, 25), mostRows)
	c.StaleAfter = cmp.Or(c.StaleAfter, 5*time.Minute)
	c.LongAfter = cmp.Or(c.LongAfter, time.Hour)
	c.KeepRemoved = cmp.Or(c.KeepRemoved, 24*time.Hour)
	c.KeepAtMost = cmp.Or(c.KeepAtMost, 500_000)
	c.RedactKeys = slices.Clone(c.RedactKeys)
	c.AllowedHosts = slices.Clone(c.AllowedHosts)
	c.ExtraTabs = slices.Clone(c.ExtraTabs)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	c.Prune.Logger = cmp.Or(c.Prune.Logger, c.Logger)
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

// Job is the job that FormatArgs and JobLinks get.
type Job struct {
	Class string // for a Rails job, its own class, not the wrapper's
	ID    string // for a Rails job, its id; otherwise empty
	Args  []json.RawMessage
}

// Link is a link that JobLinks adds to a job.
type Link struct{ Text, URL string }

// Tab is an additional link in the dashboard's navigation. A URL without a scheme or
// a leading slash is relative to the dashboard's root.
type Tab struct{ Title, URL string }

// isWeb reports whether a link may have this address. Addresses that run a script,
// such as javascript:, may not be used.
func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "" || u.Scheme == "http" || u.Scheme == "https")
}

// extend adds the application's text and links to a job.
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
