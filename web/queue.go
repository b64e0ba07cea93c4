package web

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// jobRow is a job in a queue.
type jobRow struct {
	ID       string // position and digest: what a form names it by
	Position int64
	Waiting  time.Duration
	shownJob
}

// ShownJob is the row's job, for templates.
func (r jobRow) ShownJob() shownJob { return r.shownJob }

// queuePage is the content of one queue's page.
type queuePage struct {
	Queue  queueRow
	Jobs   []jobRow
	Pager  pager
	Filter string
	Looked int64 // jobs that were looked at for the filter
	Others []string
}

// scanLimit is how many jobs are looked at for a filter.
const scanLimit = 10_000

// Ruby: Resque::Server's /queues/:id.
func (h *Dashboard) queue(q *request) error {
	name := q.params["queue"]
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	content := queuePage{Queue: queueRow{Name: name}, Filter: q.FormValue("q")}
	for _, row := range h.queueRows(snap) {
		if row.Name == name {
			content.Queue = row
		} else {
			content.Others = append(content.Others, row.Name)
		}
	}
	size := int64(h.cfg.PerPage)
	if content.Filter != "" {
		err = h.filterJobs(q, &content, snap.Now)
	} else {
		content.Pager = newPager(q, content.Queue.Size, size)
		var jobs [][]byte
		jobs, content.Queue.Size, err = h.store.QueuePage(q.Context(), name, content.Pager.First, max(content.Pager.First+size-1, 0))
		for i, raw := range jobs {
			content.Jobs = append(content.Jobs, h.jobRow(content.Pager.First+int64(i), raw, snap.Now))
		}
	}
	if err != nil {
		return err
	}
	return h.show(q, "queue", name, "queues", content)
}

// filterJobs looks for the jobs whose bytes have the text, among the first ones.
func (h *Dashboard) filterJobs(q *request, content *queuePage, now time.Time) error {
	const part = 1000
	text := strings.ToLower(content.Filter)
	for first := int64(0); first < scanLimit; first += part {
		jobs, size, err := h.store.QueuePage(q.Context(), content.Queue.Name, first, first+part-1)
		if err != nil {
			return err
		}
		content.Queue.Size = size
		for i, raw := range jobs {
			content.Looked++
			if strings.Contains(strings.ToLower(string(raw)), text) && len(content.Jobs) < 10*h.cfg.PerPage {
				content.Jobs = append(content.Jobs, h.jobRow(first+int64(i), raw, now))
			}
		}
		if len(jobs) < part {
			break
		}
	}
	content.Pager = newPager(q, int64(len(content.Jobs)), max(int64(len(content.Jobs)), 1))
	return nil
}

func (h *Dashboard) jobRow(position int64, raw []byte, now time.Time) jobRow {
	row := jobRow{ID: strconv.FormatInt(position, 10) + "-" + digest(raw), Position: position, shownJob: h.showJob(raw)}
	row.Waiting = waited(raw, now)
	return row
}

// chosen are the bytes of the jobs that a form names. What is not where it was
// is left out: it was taken, or others before it.
func (h *Dashboard) chosen(q *request, queue string) ([][]byte, error) {
	ids := q.PostForm["ids"]
	if len(ids) == 0 || len(ids) > maxIDs {
		return nil, fail(http.StatusBadRequest, "form", fmt.Errorf("%d jobs named", len(ids)))
	}
	var jobs [][]byte
	for _, id := range ids {
		text, want, _ := strings.Cut(id, "-")
		position, err := strconv.ParseInt(text, 10, 64)
		if err != nil || position < 0 {
			return nil, fail(http.StatusBadRequest, "form", err)
		}
		raw, err := h.findJob(q.Context(), queue, position, want)
		if err != nil {
			return nil, err
		}
		if raw != nil {
			jobs = append(jobs, raw)
		}
	}
	return jobs, nil
}

// maxIDs is how many entries one form may name.
const maxIDs = 1000

// findJob looks for a job where it was, and in front of that: workers take jobs
// from there.
func (h *Dashboard) findJob(ctx context.Context, queue string, position int64, want string) ([]byte, error) {
	const part = 500
	for last := position; last >= max(0, position-scanLimit); last -= part {
		first := max(last-part+1, 0)
		jobs, _, err := h.store.QueuePage(ctx, queue, first, last)
		if err != nil {
			return nil, err
		}
		for _, raw := range slices.Backward(jobs) {
			if digest(raw) == want {
				return raw, nil
			}
		}
	}
	return nil, nil
}

func (h *Dashboard) trash(kind, name string) store.Trash {
	if h.cfg.KeepRemoved < 0 {
		return store.Trash{}
	}
	return store.Trash{Token: rand.Text() + ":" + kind + name, Keep: h.cfg.KeepRemoved}
}

// trashTokens is what a flash needs to bring things back.
func trashTokens(t store.Trash) []string {
	if t.Keep <= 0 {
		return nil
	}
	return []string{t.Token}
}
