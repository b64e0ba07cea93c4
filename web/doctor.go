package web

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goresque/goresque/resque/doctor"
)

// doctorPage is the content of the page about what is wrong.
type doctorPage struct {
	Report   doctor.Report
	Problems int
	At       time.Time     // when the checks were made; zero if they were not finished
	Took     time.Duration // how long they took
	Damage   string        `json:",omitempty"` // why they were not finished
}

// Fixable reports whether there is a finding that can be fixed here.
func (p doctorPage) Fixable() bool {
	return slices.ContainsFunc(p.Report.Findings, func(f doctor.Finding) bool { return f.Fixable })
}

// checkups makes the checks of package doctor, one run at a time, and keeps the last
// report.
type checkups struct {
	running chan struct{} // has a value while a goroutine makes the checks

	mu   sync.Mutex
	last doctor.Report
	at   time.Time // zero if there is none
}

// latest returns the last report. ok is false if it is older than age.
func (c *checkups) latest(age time.Duration) (last doctor.Report, at time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, c.at, !c.at.IsZero() && time.Since(c.at) < age
}

func (c *checkups) keep(r doctor.Report, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.at = r, at
}

func (h *Dashboard) doctorOptions() doctor.Options {
	return doctor.Options{LockPrefix: h.cfg.SchedulerLockPrefix, Silence: h.cfg.StaleAfter}
}

// checkup returns a report that is not older than age. A caller that comes while the
// checks are made waits for their report.
func (h *Dashboard) checkup(ctx context.Context, age time.Duration) (doctor.Report, time.Time, error) {
	c := &h.checkups
	if last, at, ok := c.latest(age); ok {
		return last, at, nil
	}
	select {
	case c.running <- struct{}{}:
		defer func() { <-c.running }()
	case <-ctx.Done():
		return doctor.Report{}, time.Time{}, fmt.Errorf("waiting for the report: %w", ctx.Err())
	}
	if last, at, ok := c.latest(age); ok {
		return last, at, nil
	}
	report, err := doctor.Check(ctx, h.client, h.doctorOptions())
	if err != nil {
		return doctor.Report{}, time.Time{}, err
	}
	at := time.Now()
	c.keep(report, at)
	return report, at, nil
}

// doctor shows what is wrong. A refresh of an open page shows the last report: only a
// person makes the checks again.
func (h *Dashboard) doctor(q *request) error {
	age := h.budgets.report
	if q.isFragment() {
		age = 24 * time.Hour
	}
	ctx, cancel := context.WithTimeout(q.Context(), h.budgets.checks)
	defer cancel()
	report, at, err := h.checkup(ctx, age)
	content := doctorPage{Report: h.hideKeys(report), Problems: report.Problems(), At: shownTime(at), Took: report.Took}
	switch {
	case errors.Is(err, context.DeadlineExceeded) && q.Context().Err() == nil:
		content.Damage = q.t("The checks took longer than %s and were stopped. Run them with: goresque doctor", spanText(h.budgets.checks))
	case err != nil:
		return err
	}
	return h.show(q, "doctor", q.t("Doctor"), "stats", content)
}

// hideKeys returns a report without the keys of jobs, whose names have arguments, if
// arguments are hidden.
func (h *Dashboard) hideKeys(r doctor.Report) doctor.Report {
	if !h.hides() {
		return r
	}
	r.Findings = slices.Clone(r.Findings) // other requests share the report
	for i := range r.Findings {
		switch r.Findings[i].Code {
		case "T01", "T02", "T03", "T04":
			r.Findings[i].Evidence = nil
		}
	}
	return r
}

// fixable returns what can be fixed, a line for each finding.
func fixable(l *language, r doctor.Report) (lines []string) {
	for _, f := range r.Findings {
		if f.Fixable {
			lines = append(lines, f.Code+" "+l.t(f.Title))
		}
	}
	return lines
}

// fix does what can be done without a loss about the findings.
func (h *Dashboard) fix(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	if !q.isSure() {
		report, _, err := h.checkup(q.Context(), h.budgets.report)
		if err != nil {
			return err
		}
		text := q.t("This repairs what can be repaired without a loss. It looks at all keys twice, 5 seconds apart. What it removes cannot be restored.")
		if h.cfg.KeepRemoved > 0 {
			text = q.t("This repairs what can be repaired without a loss. It looks at all keys twice, 5 seconds apart. What it removes is kept under Recently removed for %s.", spanText(h.cfg.KeepRemoved))
		}
		return h.ask(q, question{Title: q.t("Fix what can be fixed?"), Yes: q.t("Fix"), Sample: fixable(q.language, report), Text: text})
	}
	opts := h.doctorOptions()
	opts.Keep = h.cfg.KeepRemoved
	fixed, err := doctor.Fix(q.Context(), h.client, opts)
	var done int64
	var said, shown []string // in English for the log, and for the user
	f := flash{}
	for _, one := range fixed {
		done += one.N
		said = append(said, fmt.Sprintf("%s: %s %s", one.Code, grouped(one.N), one.Done))
		shown = append(shown, fmt.Sprintf("%s: %s %s", one.Code, q.num(one.N), q.t(one.Done)))
		f.Trash = append(f.Trash, one.Trash...)
	}
	h.report(q.Context(), q, "fix", strings.Join(said, "; "), done, err)
	h.checkups.keep(doctor.Report{}, time.Time{})
	h.forget()
	if err != nil {
		return err
	}
	h.trim(q.Context(), f.Trash)
	if f.Text = strings.Join(shown, "; ") + "."; done == 0 {
		f.Text, f.Bad = q.t("There was nothing to fix."), true
	}
	return q.back("doctor", f, map[string]any{"done": done, "trash": f.Trash})
}

// runDoctor makes the checks every cfg.DoctorEvery, for the metrics, until ctx ends.
func (h *Dashboard) runDoctor(ctx context.Context) {
	if h.cfg.DoctorEvery <= 0 {
		return
	}
	tick := time.NewTicker(h.cfg.DoctorEvery)
	defer tick.Stop()
	for {
		checking, cancel := context.WithTimeout(ctx, h.budgets.checks)
		_, _, err := h.checkup(checking, h.cfg.DoctorEvery/2)
		cancel()
		if err != nil && ctx.Err() == nil {
			h.cfg.Logger.Warn("dashboard cannot check resque", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// writeFindings writes the metrics of the last report, if there is one. A scrape makes no
// checks.
func (h *Dashboard) writeFindings(family func(name, kind, help string), line func(format string, args ...any)) {
	report, at, ok := h.checkups.latest(24 * time.Hour)
	if !ok {
		return
	}
	family("resque_doctor_findings", "gauge", "How many things each finding of the last report of doctor has.")
	for _, f := range report.Findings {
		line("resque_doctor_findings{code=%s,severity=%s} %d\n", label(f.Code), label(string(f.Severity)), max(f.Count, 1))
	}
	family("resque_doctor_age_seconds", "gauge", "How old the last report of doctor is.")
	line("resque_doctor_age_seconds %.0f\n", time.Since(at).Seconds())
}
