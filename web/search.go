package web

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/goresque/goresque/resque"
)

// searchPage is the content of a search in delayed, waiting and running jobs.
type searchPage struct {
	Text    string
	Delayed []delayedRow
	Queued  []foundRow
	Working []workerRow

	MoreDelayed bool // more delayed jobs may match
	MoreQueued  bool // more waiting jobs may match
}

// foundRow is a job in a queue.
type foundRow struct {
	Queue    string
	Position int64
	All      string // address of all matching jobs of the queue, below the mount
	shownJob
}

// ShownJob returns the row's job, for templates.
func (r foundRow) ShownJob() shownJob { return r.shownJob }

// searchJobs searches delayed, waiting and running jobs for a text. Ruby compares it
// with their classes; here it may also be in their arguments.
//
// Ruby: Resque::Scheduler::Server's /delayed/search, which reads all jobs.
func (h *Dashboard) searchJobs(q *request) error {
	if err := q.readForm(); err != nil {
		return err
	}
	text := strings.TrimSpace(q.FormValue("search"))
	if q.Method == http.MethodPost && !q.wantsJSON() { // so that the page has an address
		q.w.Header().Set("Location", q.base+"delayed/search?search="+url.QueryEscape(text))
		q.w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	content := searchPage{Text: text}
	snap, err := h.snapshot(q.Context())
	if err == nil && text != "" {
		err = h.search(q, &content, snap)
	}
	if err != nil {
		return err
	}
	return h.show(q, "search", q.t("Search"), "delayed", content)
}

func (h *Dashboard) search(q *request, content *searchPage, snap moment) error {
	part, err := h.client.Delayed().Search(q.Context(), resque.DelayedFilter{Text: content.Text}, resque.DelayedPlace{}, int(h.rows(q)), h.budgets.scan)
	if err != nil {
		return err
	}
	content.Delayed = h.delayedRows(part.Jobs)
	content.MoreDelayed = part.More
	lower := []byte(strings.ToLower(content.Text))
	for _, w := range busyWorkers(snap) {
		if len(content.Working) < int(h.rows(q)) && w.Job != nil && bytes.Contains(bytes.ToLower(w.Job.Raw), lower) {
			content.Working = append(content.Working, h.rowWithJob(w, snap.Now))
		}
	}
	return h.searchQueues(q.Context(), content, snap, int(h.rows(q)))
}

// searchQueues reads the first jobs of each queue until the page is full or its time
// has passed.
func (h *Dashboard) searchQueues(ctx context.Context, content *searchPage, snap moment, most int) error {
	begun := time.Now()
	for _, state := range snap.Queues {
		switch {
		case state.Size == 0:
			continue
		case time.Since(begun) > h.budgets.scan:
			content.MoreQueued = true
			return nil
		}
		jobs, size, err := h.client.Queue(state.Queue).Page(ctx, 0, mostJobs)
		if err != nil {
			return err
		}
		content.MoreQueued = content.MoreQueued || size > int64(len(jobs))
		for _, job := range jobs {
			if !h.passes(jobFilter{Text: content.Text}, job.Raw) {
				continue
			}
			if len(content.Queued) == most {
				content.MoreQueued = true
				return nil
			}
			content.Queued = append(content.Queued, foundRow{state.Queue, job.ID.Position, queueSearch(state.Queue, content.Text), h.jobRow(job, snap.Now).shownJob})
		}
	}
	return nil
}

// queueSearch returns the address of the jobs of a queue that have a text.
func queueSearch(queue, text string) string {
	separator := "?"
	if !isPlainName(queue) {
		separator = "&"
	}
	return queuePath(queue) + separator + "q=" + url.QueryEscape(text)
}
