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
	Memory int64 // bytes of memory that the queue uses, about; -1 if it is not known

	bytes int64 // of the jobs that a filter found and that are shown whole
}

// Ruby: Resque::Server's /queues/:id.
func (h *Dashboard) queue(q *request) error {
	name := q.params["queue"]
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	content := queuePage{
		Queue: queueRow{Name: name}, Filter: jobFilter{Class: q.FormValue("class"), Text: q.FormValue("q")},
		Newest: q.FormValue("dir") == "desc", Size: h.rows(q),
	}
	for _, row := range h.queueRows(snap, failureCount{}) {
		if row.Name == name {
			content.Queue = row
		} else {
			content.Others = append(content.Others, row.Name)
		}
	}
	if content.Memory, err = h.memory(q.Context(), "queue:"+name); err != nil {
		return err
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

// memory returns about how many bytes of memory a key uses, or -1.
func (h *Dashboard) memory(ctx context.Context, key string) (int64, error) {
	value, ok, err := h.client.ReadKey(ctx, key, "", 0)
	if !ok {
		return -1, err
	}
	return value.Memory, nil
}

// pageJobs reads one page of jobs by position.
func (h *Dashboard) pageJobs(q *request, content *queuePage, now time.Time) error {
	content.Pager = newPager(q, content.Queue.Size, content.Size)
	first, last := content.Pager.First, content.Pager.First+content.Size
	if content.Newest {
		first, last = max(content.Queue.Size-last, 0), content.Queue.Size-first
	}
	jobs, size, err := h.client.Queue(content.Queue.Name).Preview(q.Context(), first, max(last-first, 1), pageBytes)
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
	row := jobRow{ID: job.ID.String(), Position: job.ID.Position}
	if !job.IsWhole() {
		row.shownJob = h.showBeginning(job.Raw, job.Size)
		return row
	}
	row.shownJob = h.showJob(job.Raw)
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
// full or its time has passed. It starts at the end of the previous page.
func (h *Dashboard) filterJobs(q *request, content *queuePage, now time.Time) error {
	size, part := content.Queue.Size, int64(firstJobs)
	at := q.number("from", 0, 0, size) // jobs checked so far
	content.Found = q.number("found", 0, 0, 1<<40)
	for begun := time.Now(); at < size && time.Since(begun) < h.budgets.scan; {
		first, last := at, min(at+part, size)
		if content.Newest {
			first, last = size-last, size-at
		}
		jobs, bytes, err := h.readJobs(q, content.Queue.Name, first, last)
		if err != nil {
			return err
		}
		if content.Newest {
			slices.Reverse(jobs)
		}
		if part = min(4*part, mostJobs); bytes > pageBytes {
			part = max(part/16, 1)
		}
		for _, job := range jobs {
			at++
			if !h.passes(content.Filter, job.Raw) {
				continue
			}
			content.Found++
			content.addFound(h, job, now)
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

// firstJobs is the number of jobs that a filter reads first, and mostJobs the number
// that it reads later at once, unless they are large.
const firstJobs, mostJobs = 16, 1000

// readJobs reads the jobs from position first to before last, and returns their bytes.
func (h *Dashboard) readJobs(q *request, queue string, first, last int64) (jobs []resque.QueuedJob, bytes int64, err error) {
	for first < last {
		part, _, err := h.client.Queue(queue).Page(q.Context(), first, last-first)
		if err != nil || len(part) == 0 {
			return jobs, bytes, err
		}
		for _, job := range part {
			bytes += job.Size
		}
		jobs, first = append(jobs, part...), first+int64(len(part))
	}
	return jobs, bytes, nil
}

// addFound adds a job to the page. When pageBytes are shown, only the beginnings of the
// others are.
func (c *queuePage) addFound(h *Dashboard, job resque.QueuedJob, now time.Time) {
	row := h.jobRow(job, now)
	if c.bytes += job.Size; c.bytes > pageBytes && job.Size > beginning {
		row.shownJob = h.showBeginning(job.Raw[:beginning], job.Size)
	}
	c.Jobs = append(c.Jobs, row)
}

// conclude sets how many jobs were checked, and the address of the next page.
func (c *queuePage) conclude(values url.Values, at int64) {
	c.Looked = at
	if at < c.Queue.Size {
		values.Set("found", strconv.FormatInt(c.Found, 10))
		c.Next = "?" + withValue(values, "from", strconv.FormatInt(at, 10))
	}
}
