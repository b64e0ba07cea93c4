package web

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// schedulePage is the content of the list of schedules.
type schedulePage struct {
	Schedules []scheduleRow
	Total     int64 // without the filter
	Filter    string
	Order     order `json:"-"`
	Pager     pager
	Scheduler schedulerRow
	Damage    string `json:",omitempty"` // why they cannot be read
}

// scheduleRow is a recurring job as pages show it.
type scheduleRow struct {
	Name, Description string
	When              string // "0 3 * * *", or "every 15 min"
	IsCron            bool
	FirstIn           time.Duration
	Env               string
	Queue             string
	Job               shownJob
	State             string // on, off, broken, idle (no times), unloaded, elsewhere (in another environment) or stopped (no scheduler)
	Error             string `json:",omitempty"` // why it does not run
	Next              []time.Time
	Last              time.Time
	Static            bool // of the program: it cannot be deleted
	HasParameters     bool
}

const (
	schedulesAtOnce = 100 // on a page
	nextRuns        = 3   // of each
)

// Ruby: Resque::Scheduler::Server's /schedule.
func (h *Dashboard) schedule(q *request) (err error) {
	content := schedulePage{Filter: q.FormValue("q"), Order: newOrder(q, "name", "job", "next", "-last")}
	if err = h.fillSchedule(q, &content); err != nil {
		if fault, _ := resque.Explain(err); fault.Code != resque.FaultType {
			return err
		}
		content.Damage = err.Error() // the page says so
	}
	return h.show(q, "schedule", q.t("Schedule"), "schedule", content)
}

func (h *Dashboard) fillSchedule(q *request, content *schedulePage) (err error) {
	if content.Scheduler, err = h.schedulerRow(q.Context()); err != nil {
		return err
	}
	all, err := scheduler.Schedules(q.Context(), h.client)
	if err != nil {
		return err
	}
	content.Total = int64(len(all))
	var found []scheduler.Schedule
	for _, s := range all {
		if hasText(content.Filter, s.Name, s.Job.Class, s.Description, s.Job.Queue) {
			found = append(found, s)
		}
	}
	sortSchedules(found, content.Order, content.Scheduler)
	content.Pager = newPager(q, int64(len(found)), schedulesAtOnce)
	for _, s := range found[content.Pager.First:content.Pager.Last] {
		content.Schedules = append(content.Schedules, h.scheduleRow(q.language, s, content.Scheduler))
	}
	return nil
}

// sortSchedules sorts schedules, which are in the order of their names.
func sortSchedules(all []scheduler.Schedule, by order, master schedulerRow) {
	next := map[string]time.Time{} // those without one come last
	if by.By == "next" {
		for _, s := range all {
			next[s.Name] = time.Unix(1<<40, 0)
			if state := scheduleState(s, master); state == "on" || state == "stopped" {
				next[s.Name] = append(s.Next(1), next[s.Name])[0]
			}
		}
	}
	sortRows(all, by, map[string]func(a, b scheduler.Schedule) int{
		"name": func(a, b scheduler.Schedule) int { return cmp.Compare(a.Name, b.Name) },
		"job":  func(a, b scheduler.Schedule) int { return cmp.Compare(a.Job.Class, b.Job.Class) },
		"next": func(a, b scheduler.Schedule) int { return next[a.Name].Compare(next[b.Name]) },
		"last": func(a, b scheduler.Schedule) int { return a.Last.Compare(b.Last) },
	})
}

// hasText reports whether one of the texts has the part. Case is ignored.
func hasText(part string, texts ...string) bool {
	for _, text := range texts {
		if strings.Contains(strings.ToLower(text), strings.ToLower(part)) {
			return true
		}
	}
	return false
}

func (h *Dashboard) scheduleRow(l *language, s scheduler.Schedule, by schedulerRow) scheduleRow {
	row := scheduleRow{
		Name: s.Name, Description: s.Description, When: s.Cron, IsCron: s.Cron != "", FirstIn: s.FirstIn, Env: s.Env, Queue: s.Job.Queue,
		Last: shownTime(s.Last), Static: s.Static, HasParameters: len(s.Parameters) > 0, State: scheduleState(s, by),
	}
	if s.Every > 0 {
		row.When = everyText(l, s.Every)
	}
	if s.Err != nil {
		row.Error = s.Err.Error()
	}
	if row.State == "on" || row.State == "stopped" {
		for _, at := range s.Next(nextRuns) {
			row.Next = append(row.Next, shownTime(at.UTC()))
		}
	}
	if payload, err := s.Job.Encode(); err == nil {
		row.Job = h.showJob(payload)
	} else {
		row.Job = shownJob{Class: s.Job.Class}
	}
	row.Job.Raw = "" // it is not stored in this form
	return row
}

// scheduleState returns whether a schedule runs, or why not.
func scheduleState(s scheduler.Schedule, by schedulerRow) string {
	switch {
	case s.Err != nil:
		return "broken"
	case s.Off:
		return "off"
	case s.Cron == "" && s.Every == 0:
		return "idle"
	case by.Master == "":
		return "stopped"
	case by.Go && !s.Running && s.Env != "":
		return "elsewhere"
	case by.Go && !s.Running:
		return "unloaded"
	}
	return "on"
}

// everyText formats an interval in the largest unit without a rest.
func everyText(l *language, d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		text string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if d%unit.size == 0 {
			return l.t("every %s", fmt.Sprintf("%d %s", d/unit.size, unit.text))
		}
	}
	return l.t("every %s", d.String())
}
