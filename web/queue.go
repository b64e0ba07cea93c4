package web

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/resque"
)

// jobRow is a job in a queue.
type jobRow struct {
	ID       string // position and digest, as forms send it
	Position int64
	Waiting  time.Duration
	shownJob
}

// ShownJob returns the row's job, for templates.
func (r jobRow) ShownJob() shownJob { return r.shownJob }

// queuePage is the content of one queue's page.
type queuePage struct {
	Queue  queueRow
	Jobs   []jobRow
	Pager  pager
	Filter jobFilter
	Newest bool   // dir=desc: newest job first
	Size   int64  // jobs per page
	Looked int64  // jobs checked against the filter, including those of earlier pages
	Next   string // address of the next page of matching jobs
	Found  int64  // matching jobs so far
	Others []string
}

// Sizes returns the page sizes to choose from.
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
	switch {
	case content.Queue.Damage != "": // the page says so
	case content.Filter.isEmpty():
		err = h.pageJobs(q, &content, snap.Now)
	default:
		err = h.filterJobs(q, &content, snap.Now)
	}
	if err != nil {
		return err
	}
	return h.show(q, "queue", name, "queues", content)
}

// pageJobs reads one page of jobs by position.
func (h *Dashboard) pageJobs(q *request, content *queuePage, now time.Time) error {
	content.Pager = newPager(q, content.Queue.Size, content.Size)
	first, last := content.Pager.First, content.Pager.First+content.Size
	if content.Newest {
		first, last = max(content.Queue.Size-last, 0), content.Queue.Size-first
	}
	jobs, size, err := h.client.Queue(content.Queue.Name).Page(q.Context(), first, max(last-first, 1))
	content.Queue.Size = size
	for _, job := range jobs {
		content.Jobs = append(content.Jobs, h.jobRow(job, now))
	}
	if content.Newest {
		slices.Reverse(content.Jobs)
	}
	return err
}

func (h *Dashboard) jobRow(job resque.QueuedJob, now time.Time) jobRow {
	row := jobRow{ID: job.ID.String(), Position: job.ID.Position, shownJob: h.showJob(job.Raw)}
	if read, err := resque.ParsePayload("", job.Raw); err == nil {
		row.Waiting = waited(read, now)
	}
	return row
}

// maxIDs is the largest number of entries that a form can name.
const maxIDs = 1000

// chosen returns the ids of the selected jobs.
func chosen(q *request) ([]resque.QueuedJobID, error) {
	texts := q.PostForm["ids"]
	if len(texts) == 0 || len(texts) > maxIDs {
		return nil, fail(problemForm, fmt.Errorf("%d jobs named", len(texts)))
	}
	ids := make([]resque.QueuedJobID, len(texts))
	for i, text := range texts {
		var err error
		if ids[i], err = resque.ParseQueuedJobID(text); err != nil {
			return nil, fail(problemForm, err)
		}
	}
	return ids, nil
}

// jobFilter selects jobs of a queue.
type jobFilter struct{ Class, Text string }

func (f jobFilter) isEmpty() bool { return f == jobFilter{} }

// IsEmpty reports whether the filter matches all jobs.
func (f jobFilter) IsEmpty() bool { return f.isEmpty() }

// Hidden returns the filter as fields of a form that acts on matching jobs.
func (f jobFilter) Hidden() map[string]string {
	return map[string]string{"class": f.Class, "q": f.Text}
}

// passes reports whether the filter matches a job. For Rails jobs, Class is the class
// of the job, not of its wrapper. Text can be anywhere in the payload.
func (h *Dashboard) passes(f jobFilter, raw []byte) bool {
	if f.Text != "" && !bytes.Contains(bytes.ToLower(raw), []byte(strings.ToLower(f.Text))) {
		return false
	}
	return f.Class == "" || readJob(raw).Class == f.Class
}

// filterJobs reads the queue in parts and collects matching jobs, until the page is
// full or scanBudget has passed. It starts at the end of the previous page.
func (h *Dashboard) filterJobs(q *request, content *queuePage, now time.Time) error {
	const part = 1000
	size := content.Queue.Size
	at := q.number("from", 0, 0, size) // jobs checked so far
	content.Found = q.number("found", 0, 0, 1<<40)
	for begun := time.Now(); at < size && time.Since(begun) < scanBudget; {
		first, last := at, min(at+part, size)
		if content.Newest {
			first, last = size-last, size-at
		}
		jobs, _, err := h.client.Queue(content.Queue.Name).Page(q.Context(), first, last-first)
		if err != nil {
			return err
		}
		if content.Newest {
			slices.Reverse(jobs)
		}
		for _, job := range jobs {
			at++
			if !h.passes(content.Filter, job.Raw) {
				continue
			}
			content.Found++
			content.Jobs = append(content.Jobs, h.jobRow(job, now))
			if int64(len(content.Jobs)) == content.Size {
				content.conclude(q.URL.Query(), at)
				return nil
			}
		}
		if len(jobs) == 0 { // workers took the rest
			at = size
		}
	}
	content.conclude(q.URL.Query(), at)
	return nil
}

// conclude sets how many jobs were checked, and the address of the next page.
func (c *queuePage) conclude(values url.Values, at int64) {
	c.Looked = at
	if at < c.Queue.Size {
		values.Set("found", strconv.FormatInt(c.Found, 10))
		c.Next = "?" + withValue(values, "from", strconv.FormatInt(at, 10))
	}
}
