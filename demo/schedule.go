package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/goresque/goresque/demo/site"
	"github.com/goresque/goresque/demo/status"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// NightlyExport defines the job that a scheduler enqueues at each scheduled time. Its
// arguments are the rows of the new export, and the seconds that building it takes.
//
// Ruby: module NightlyExport; @queue = :exports; def self.perform(rows, seconds).
var NightlyExport = resque.Define2[int, float64]("NightlyExport", Exporter.Queue())

// nightly performs NightlyExport.
type nightly struct {
	exports store
	now     func() time.Time
}

// perform stores an export and its job, which the web app's relay enqueues. A job may be performed twice, for
// example if its worker was killed. So the token is the scheduled time: the nearest
// minute, as clocks differ. The second of two jobs finds the export of the first.
func (n nightly) perform(ctx context.Context, rows int, seconds float64) error {
	token := scheduleName + n.now().UTC().Round(time.Minute).Format(" 2006-01-02 15:04")
	_, _, err := n.exports.create(ctx, rows, seconds, 0, token)
	return err
}

// scheduleName is the name of the persistent entry that schedulers run.
const scheduleName = "nightly-export"

// choice is a choice of the page for the recurring export.
type choice struct {
	Every, Label string
	cron         string // empty: no recurring export
}

func choices() []choice {
	return []choice{{"minute", "Every minute", "* * * * *"}, {"night", "Every night", "0 3 * * *"}, {"off", "Off", ""}}
}

// schedule sets or removes the recurring export. A second click changes nothing.
func (a *exportsApp) schedule(rw http.ResponseWriter, r *http.Request) error {
	every, all := r.PostFormValue("every"), choices()
	i := slices.IndexFunc(all, func(c choice) bool { return c.Every == every })
	if i < 0 {
		return &site.Error{
			Status: http.StatusBadRequest, Title: "Bad request",
			Text: fmt.Sprintf("The field every must be minute, night or off, not %q.", every),
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), cmp.Or(a.wait, queueTimeout))
	defer cancel()
	if err := a.setSchedule(ctx, all[i]); err != nil {
		return &site.Error{
			Status: http.StatusServiceUnavailable, Title: "The schedule could not be changed",
			Text: "Redis, which holds the schedule, cannot be reached. Try again when Redis is back.", Cause: err,
		}
	}
	if site.WantsJSON(r) {
		rw.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(rw, r, "/exports", http.StatusSeeOther)
	return nil
}

// setSchedule stores the choice in Redis, where schedulers look for changes.
//
// Ruby: Resque.set_schedule and Resque.remove_schedule.
func (a *exportsApp) setSchedule(ctx context.Context, c choice) error {
	if c.cron == "" {
		err := scheduler.Remove(ctx, a.jobs, scheduleName)
		if errors.Is(err, scheduler.ErrNoSchedule) {
			return nil // it was off
		}
		return err
	}
	_, err := scheduler.Set(ctx, a.jobs, scheduler.Entry{
		Name: scheduleName, Cron: c.cron, Job: NightlyExport.Job(a.rows, a.seconds), Description: "The recurring export of the demo",
	})
	if err == nil {
		err = scheduler.Enable(ctx, a.jobs, scheduleName) // it may have been switched off in the dashboard
	}
	return err
}

// scheduleView is the recurring export as the page shows it.
type scheduleView struct {
	Choices     []choice
	Every       string // the present choice; empty if Redis cannot be reached
	Next        string
	Left        int // seconds until Next; 0 if it is more than a minute
	NoScheduler bool
}

func (a *exportsApp) scheduleView(ctx context.Context) scheduleView {
	v := scheduleView{Choices: choices()}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(a.wait, time.Second)) // the page is shown without Redis also
	defer cancel()
	s, err := scheduler.Find(ctx, a.jobs, scheduleName)
	if errors.Is(err, scheduler.ErrNoSchedule) || err == nil && s.Off {
		v.Every = "off"
	} else if err == nil {
		v.Every = "other" // set by another program
		if i := slices.IndexFunc(v.Choices, func(c choice) bool { return c.cron != "" && c.cron == s.Cron }); i >= 0 {
			v.Every = v.Choices[i].Every
		}
		for _, next := range s.Next(1) {
			v.Next = next.Local().Format("15:04")
			if left := status.SecondsUntil(next); left <= 60 {
				v.Left = left
			}
		}
	}
	now, err := scheduler.ReadStatus(ctx, a.jobs, "")
	v.NoScheduler = err == nil && now.Master == ""
	return v
}
