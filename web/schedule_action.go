package web

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// parametersPage asks for the parameters of a schedule before it runs.
type parametersPage struct {
	Name       string
	Parameters []scheduler.Parameter
}

// runSchedule enqueues the job of a schedule now. If the schedule has parameters, it
// asks for them.
//
// Ruby: Resque::Scheduler::Server's /schedule/requeue.
func (h *Dashboard) runSchedule(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	s, err := h.namedSchedule(q)
	if err != nil {
		return err
	}
	if err := mustKnowJob(s); err != nil {
		return err
	}
	if len(s.Parameters) == 0 {
		receipt, err := scheduler.RunNow(q.Context(), h.client, s.Name)
		return h.ranSchedule(q, s.Name, receipt, err)
	}
	if q.wantsJSON() {
		return &problem{code: problemForm, advice: q.t("This schedule has parameters. Send them to schedule/requeue_with_params.")}
	}
	h.write(q, http.StatusOK, "schedule_run", view{
		page: h.page(q, q.t("Run %s now?", s.Name), "schedule"), Content: parametersPage{s.Name, s.Parameters},
	})
	return nil
}

// runScheduleWith enqueues the job of a schedule with the parameters of the form.
//
// Ruby: Resque::Scheduler::Server's /schedule/requeue_with_params.
func (h *Dashboard) runScheduleWith(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	s, err := h.namedSchedule(q)
	if err != nil {
		return err
	}
	if err := mustKnowJob(s); err != nil {
		return err
	}
	values := map[string]string{}
	for _, p := range s.Parameters {
		if given, ok := q.PostForm[p.Name]; ok {
			values[p.Name] = given[len(given)-1]
		}
	}
	receipt, err := scheduler.RunWith(q.Context(), h.client, s.Name, values)
	return h.ranSchedule(q, s.Name, receipt, err)
}

func (h *Dashboard) ranSchedule(q *request, name string, receipt resque.Receipt, err error) error {
	count := int64(0)
	f := flash{Text: q.t("%s was not enqueued: a hook prevented it.", name), Bad: true}
	if receipt.State != resque.Vetoed {
		count = 1
		f = flash{Text: q.t("Enqueued %s to queue %s.", name, receipt.Queue)}
	}
	if err != nil {
		count = 0
	}
	h.report(q.Context(), q, "run schedule", name, count, err)
	switch {
	case errors.Is(err, scheduler.ErrArguments):
		return &problem{code: problemForm, cause: err, advice: q.t("Parameters can only be added if the arguments of the schedule are one hash, or none.")}
	case errors.Is(err, resque.ErrNoQueue):
		return &problem{code: problemForm, cause: err, advice: q.t("The schedule names no queue, and the dashboard does not know the queue of its class.")}
	case err != nil:
		return err
	}
	h.forget()
	return q.back("schedule", f, map[string]any{"done": count})
}

// namedSchedule returns the schedule that the form names.
func (h *Dashboard) namedSchedule(q *request) (scheduler.Schedule, error) {
	name := q.FormValue("job_name")
	if name == "" {
		return scheduler.Schedule{}, fail(problemForm, nil)
	}
	return scheduler.Find(q.Context(), h.client, name)
}

// mustKnowJob returns an error if the job of a schedule cannot be read.
func mustKnowJob(s scheduler.Schedule) error {
	if s.Job.Class == "" {
		return &problem{code: problemForm, cause: s.Err, advice: fmt.Sprintf("The job of this schedule cannot be read: %v.", s.Err)}
	}
	return nil
}

// switchOn and switchOff have no counterpart in Ruby, whose schedulers ignore them.
func (h *Dashboard) switchOn(q *request) error  { return h.switchSchedule(q, true) }
func (h *Dashboard) switchOff(q *request) error { return h.switchSchedule(q, false) }

func (h *Dashboard) switchSchedule(q *request, on bool) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	s, err := h.namedSchedule(q)
	if err != nil {
		return err
	}
	act, said := "switch off schedule", q.t("Switched %s off. It enqueues no jobs until it is switched on.", s.Name)
	if on {
		act, said = "switch on schedule", q.t("Switched %s on.", s.Name)
		err = scheduler.Enable(q.Context(), h.client, s.Name)
	} else {
		err = scheduler.Disable(q.Context(), h.client, s.Name)
	}
	h.report(q.Context(), q, act, s.Name, 1, err)
	if err != nil {
		return err
	}
	return q.back("schedule", flash{Text: said}, map[string]any{"done": 1})
}

// deleteSchedule deletes a persistent schedule. A browser sends POST with the field
// _method, as in Ruby.
//
// Ruby: Resque::Scheduler::Server's DELETE /schedule.
func (h *Dashboard) deleteSchedule(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	if q.Method == http.MethodPost && q.PostFormValue("_method") != "delete" {
		return fail(problemForm, nil)
	}
	s, err := h.namedSchedule(q)
	if err != nil {
		return err
	}
	if s.Static {
		return &problem{code: problemForm, advice: q.t("This schedule is defined in the program of the scheduler. Remove it there, or switch it off here.")}
	}
	if q.Method == http.MethodPost && !q.isSure() {
		row := h.scheduleRow(q.language, s, schedulerRow{})
		return h.ask(q, question{
			Title: q.t("Delete schedule %s?", s.Name), Yes: q.t("Delete"), Sample: []string{row.When + " " + row.Job.Class + " " + cut(200, row.Job.Line())},
			Text: q.t("Its job is no longer enqueued. This cannot be undone."),
		})
	}
	err = scheduler.Remove(q.Context(), h.client, s.Name)
	h.report(q.Context(), q, "delete schedule", s.Name, 1, err)
	if err != nil {
		return err
	}
	h.forget()
	return q.back("schedule", flash{Text: q.t("Deleted schedule %s.", s.Name)}, map[string]any{"done": 1})
}
