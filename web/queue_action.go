package web

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// removeQueue empties a queue and makes it unknown.
//
// Ruby: Resque::Server's POST /queues/:id/remove.
func (h *Dashboard) removeQueue(q *request) error { return h.emptyQueue(q, true) }

// clearQueue empties a queue.
func (h *Dashboard) clearQueue(q *request) error { return h.emptyQueue(q, false) }

func (h *Dashboard) emptyQueue(q *request, forget bool) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	name := q.params["queue"]
	_, size, err := h.store.QueuePage(q.Context(), name, 0, 0)
	if err != nil {
		return err
	}
	act, ask := "clear", question{Title: t("Clear queue %s?", name), Yes: t("Clear"), Count: size}
	if forget {
		act, ask = "remove", question{Title: t("Remove queue %s?", name), Yes: t("Remove"), Count: size}
	}
	ask.Text = tn("1 job waits there.|%s jobs wait there.", size)
	if !q.isSure() {
		return h.ask(q, ask)
	}
	trash := h.trash(store.QueueTrash, name)
	n, err := h.store.ClearQueue(q.Context(), name, trash)
	if err == nil && n > 0 {
		err = h.store.NoteTrash(q.Context(), trash, time.Now())
	}
	if err == nil && forget {
		err = h.store.ForgetQueue(q.Context(), name)
	}
	h.report(q.Context(), q, act+" queue", name, n, err)
	if err != nil {
		return err
	}
	h.forget()
	done := flash{Text: tn("Removed 1 job from queue|Removed %s jobs from queue", n) + " " + name + ".", Trash: trashTokens(trash)}
	if n == 0 {
		done.Trash = nil
	}
	h.trim(q.Context(), done.Trash)
	return q.back("queues", done, map[string]any{"done": n, "trash": done.Trash})
}

// pauseQueue and resumeQueue are honoured by Go's workers, and by Ruby's with the
// resque-pause plugin.
func (h *Dashboard) pauseQueue(q *request) error {
	return h.switchPause(q, "pause", q.params["queue"], t("Paused queue %s.", q.params["queue"]))
}

func (h *Dashboard) resumeQueue(q *request) error {
	return h.switchPause(q, "resume", q.params["queue"], t("Queue %s goes on.", q.params["queue"]))
}

// removeJobs removes the chosen jobs of a queue.
func (h *Dashboard) removeJobs(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	name := q.params["queue"]
	if asked := len(q.PostForm["ids"]); asked > 1 && !q.isSure() {
		return h.ask(q, question{Title: tn("Remove 1 job?|Remove %s jobs?", int64(asked)), Yes: t("Remove"), Count: int64(asked)})
	}
	jobs, err := h.chosen(q, name)
	if err != nil {
		return err
	}
	trash := h.trash(store.QueueTrash, name)
	taken, err := h.store.RemoveJobs(q.Context(), name, jobs, trash)
	if err == nil && slices.Contains(taken, true) {
		err = h.store.NoteTrash(q.Context(), trash, time.Now())
	}
	return h.tookJobs(q, "remove jobs", name, taken, err, t("Removed"), trashTokens(trash))
}

// moveJobs moves the chosen jobs of a queue to the end of another.
func (h *Dashboard) moveJobs(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	name, to := q.params["queue"], strings.TrimSpace(q.PostFormValue("to"))
	if to == "" || to == name {
		return fail(problemForm, nil)
	}
	jobs, err := h.chosen(q, name)
	if err != nil {
		return err
	}
	taken, err := h.store.MoveJobs(q.Context(), name, to, jobs)
	return h.tookJobs(q, "move jobs", name+" → "+to, taken, err, t("Moved"), nil)
}

func (h *Dashboard) tookJobs(q *request, act, target string, taken []bool, err error, verb string, trash []string) error {
	var done int64
	for _, ok := range taken {
		done += int64(count(ok))
	}
	h.report(q.Context(), q, act, target, done, err)
	if err != nil {
		return err
	}
	h.forget()
	missing := int64(len(q.PostForm["ids"])) - done
	f := flash{Text: verb + " " + tn("1 job.|%s jobs.", done), Trash: trash, Bad: done == 0}
	if missing > 0 {
		f.Text += " " + tn("1 was gone already.|%s were gone already.", missing)
	}
	if done == 0 {
		f.Trash = nil
	}
	h.trim(q.Context(), f.Trash)
	return q.back("queues/"+url.PathEscape(q.params["queue"]), f, map[string]any{"done": done, "missing": missing, "trash": f.Trash})
}

// removeMatching removes the jobs of a queue that the form's filter passes, in the
// background.
func (h *Dashboard) removeMatching(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	name := q.params["queue"]
	filter := jobFilter{Class: q.FormValue("class"), Text: q.FormValue("q")}
	if filter.isEmpty() {
		return h.clearQueue(q)
	}
	c := queueClear{h: h, queue: name, filter: filter, trash: h.trash(store.QueueTrash, name)}
	if !q.isSure() {
		n, err := c.count(q.Context())
		if err != nil {
			return err
		}
		return h.ask(q, question{
			Title: tn("Remove 1 job?|Remove %s jobs?", n), Yes: t("Remove"), Count: n, Hidden: filter.Hidden(),
			Text: t("Those in queue %s that are like that.", name),
		})
	}
	return h.operate(q, "remove jobs", name, "queues/"+url.PathEscape(name), c.run)
}

// queueClear removes jobs of a queue while workers take others from its front.
type queueClear struct {
	h      *Dashboard
	queue  string
	filter jobFilter
	trash  store.Trash
	tell   func(resque.Progress)
	p      resque.Progress
}

const (
	clearPart   = 500
	clearAtOnce = 50 // in one step, which everybody else waits for
	clearPasses = 20
)

func (c *queueClear) count(ctx context.Context) (n int64, err error) {
	for first := int64(0); ; first += clearPart {
		jobs, _, err := c.h.store.QueuePage(ctx, c.queue, first, first+clearPart-1)
		if err != nil || len(jobs) == 0 {
			return n, err
		}
		for _, raw := range jobs {
			n += int64(count(c.h.passes(c.filter, raw)))
		}
	}
}

// run passes through the queue, and again until nothing is found: workers may have
// taken jobs meanwhile, and what is behind those moved up and was passed over. Jobs
// that come while it runs stay.
func (c *queueClear) run(ctx context.Context, tell func(resque.Progress)) (resque.Progress, error) {
	c.tell = tell
	_, end, err := c.h.store.QueuePage(ctx, c.queue, 0, 0)
	if err != nil {
		return c.p, err
	}
	c.p.Total = end
	for pass := 0; pass < clearPasses && err == nil; pass++ {
		before, gone := c.p.Done, c.p.Gone
		err = c.pass(ctx, end)
		end -= c.p.Done - before
		if c.p.Done == before && c.p.Gone == gone {
			break
		}
	}
	return c.p, err
}

func (c *queueClear) pass(ctx context.Context, end int64) error {
	for at := int64(0); at < end; {
		jobs, _, err := c.h.store.QueuePage(ctx, c.queue, at, min(at+clearPart, end)-1)
		if err != nil || len(jobs) == 0 {
			return err
		}
		var acts []store.FailedAct
		for i, raw := range jobs {
			if c.h.passes(c.filter, raw) {
				acts = append(acts, store.FailedAct{Position: at + int64(i), Digest: store.Digest(raw), Remove: true})
			}
		}
		removed, err := c.remove(ctx, acts)
		at, end = at+int64(len(jobs))-removed, end-removed
		c.p.Seen = min(c.p.Seen+int64(len(jobs)), c.p.Total)
		if err != nil {
			return err
		}
		c.tell(c.p)
	}
	return nil
}

// remove removes jobs, each if it is still where it was.
func (c *queueClear) remove(ctx context.Context, acts []store.FailedAct) (removed int64, err error) {
	for first := 0; first < len(acts); first += clearAtOnce {
		some := acts[first:min(first+clearAtOnce, len(acts))]
		for i := range some {
			some[i].Position -= removed
		}
		acted, err := c.h.store.ActOnQueue(ctx, c.queue, some, c.trash)
		if err != nil {
			return removed, err
		}
		for _, a := range acted {
			if a.Err != nil {
				return removed, fmt.Errorf("removing a job of queue %q: %w", c.queue, a.Err)
			}
			removed += int64(count(a.Done))
			c.p.Done += int64(count(a.Done))
			c.p.Gone += int64(count(!a.Done))
		}
		if c.p.Done > 0 && c.p.Trash == nil && c.trash.Keep > 0 {
			c.p.Trash = trashTokens(c.trash)
			if err := c.h.store.NoteTrash(ctx, c.trash, time.Now()); err != nil {
				return removed, err
			}
		}
	}
	return removed, nil
}

func (h *Dashboard) switchPause(q *request, act, queue, said string) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	var err error
	switch {
	case act == "pause" && queue == "":
		err = h.client.Pause(q.Context())
	case act == "pause":
		err = h.client.PauseQueue(q.Context(), queue)
	case queue == "":
		err = h.client.Resume(q.Context())
	default:
		err = h.client.ResumeQueue(q.Context(), queue)
	}
	h.report(q.Context(), q, act, queue, 1, err)
	if err != nil {
		return err
	}
	h.forget()
	return q.back("queues", flash{Text: said}, map[string]any{"done": 1})
}
