package web

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
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
	Filter jobFilter
	Newest bool   // dir=desc: what came last is first
	Size   int64  // jobs a page
	Looked int64  // jobs that were looked at for the filter, on the pages before, too
	Next   string // address of what the filter finds further on
	Found  int64  // that match, up to here
	Others []string
}

// Sizes are how many jobs a page may have.
func (queuePage) Sizes() []int64 { return []int64{25, 50, 100} }

// Ruby: Resque::Server's /queues/:id.
func (h *Dashboard) queue(q *request) error {
	name := q.params["queue"]
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	content := queuePage{
		Queue: queueRow{Name: name}, Filter: jobFilter{Class: q.FormValue("class"), Text: q.FormValue("q")},
		Newest: q.FormValue("dir") == "desc", Size: q.number("size", int64(h.cfg.PerPage), 1, 500),
	}
	for _, row := range h.queueRows(snap) {
		if row.Name == name {
			content.Queue = row
		} else {
			content.Others = append(content.Others, row.Name)
		}
	}
	if content.Filter.isEmpty() {
		err = h.pageJobs(q, &content, snap.Now)
	} else {
		err = h.filterJobs(q, &content, snap.Now)
	}
	if err != nil {
		return err
	}
	return h.show(q, "queue", name, "queues", content)
}

// pageJobs reads one page by position.
func (h *Dashboard) pageJobs(q *request, content *queuePage, now time.Time) error {
	content.Pager = newPager(q, content.Queue.Size, content.Size)
	first, last := content.Pager.First, content.Pager.First+content.Size
	if content.Newest {
		first, last = max(content.Queue.Size-last, 0), content.Queue.Size-first
	}
	jobs, size, err := h.store.QueuePage(q.Context(), content.Queue.Name, first, max(last-1, 0))
	content.Queue.Size = size
	for i, raw := range jobs {
		content.Jobs = append(content.Jobs, h.jobRow(first+int64(i), raw, now))
	}
	if content.Newest {
		slices.Reverse(content.Jobs)
	}
	return err
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
		return nil, fail(problemForm, fmt.Errorf("%d jobs named", len(ids)))
	}
	var jobs [][]byte
	for _, id := range ids {
		text, want, _ := strings.Cut(id, "-")
		position, err := strconv.ParseInt(text, 10, 64)
		if err != nil || position < 0 {
			return nil, fail(problemForm, err)
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

// scanLimit is how far a job that was named is looked for.
const scanLimit = 10_000

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

// jobFilter says which jobs of a queue are meant.
type jobFilter struct{ Class, Text string }

func (f jobFilter) isEmpty() bool { return f == jobFilter{} }

// IsEmpty tells that all jobs are meant.
func (f jobFilter) IsEmpty() bool { return f.isEmpty() }

// Hidden are the filter's fields for a form that acts on what it passes.
func (f jobFilter) Hidden() map[string]string {
	return map[string]string{"class": f.Class, "q": f.Text}
}

// passes tells whether a job is meant. The class is that of the job, for Rails's
// jobs not that of their wrapper; the text may stand anywhere in the payload.
func (h *Dashboard) passes(f jobFilter, raw []byte) bool {
	if f.Text != "" && !bytes.Contains(bytes.ToLower(raw), []byte(strings.ToLower(f.Text))) {
		return false
	}
	return f.Class == "" || readJob(raw).Class == f.Class
}

// filterJobs looks for the jobs that the filter passes, in parts, as long as the
// time allows, from where an earlier page ended.
func (h *Dashboard) filterJobs(q *request, content *queuePage, now time.Time) error {
	const part = 1000
	size := content.Queue.Size
	at := q.number("from", 0, 0, size) // looked at so far
	content.Found = q.number("found", 0, 0, 1<<40)
	for begun := time.Now(); at < size && time.Since(begun) < scanBudget; {
		first, last := at, min(at+part, size)
		if content.Newest {
			first, last = size-last, size-at
		}
		jobs, _, err := h.store.QueuePage(q.Context(), content.Queue.Name, first, last-1)
		if err != nil {
			return err
		}
		rows := make([]jobRow, 0, len(jobs))
		for i, raw := range jobs {
			rows = append(rows, jobRow{Position: first + int64(i), shownJob: shownJob{Raw: string(raw)}})
		}
		if content.Newest {
			slices.Reverse(rows)
		}
		for _, row := range rows {
			at++
			if !h.passes(content.Filter, []byte(row.Raw)) {
				continue
			}
			content.Found++
			content.Jobs = append(content.Jobs, h.jobRow(row.Position, []byte(row.Raw), now))
			if int64(len(content.Jobs)) == content.Size {
				content.conclude(q.URL.Query(), at)
				return nil
			}
		}
		if len(jobs) == 0 { // workers were faster
			at = size
		}
	}
	content.conclude(q.URL.Query(), at)
	return nil
}

// conclude says how far the page came, and where it goes on.
func (c *queuePage) conclude(values url.Values, at int64) {
	c.Looked = at
	if at < c.Queue.Size {
		values.Set("found", strconv.FormatInt(c.Found, 10))
		c.Next = "?" + withValue(values, "from", strconv.FormatInt(at, 10))
	}
}
