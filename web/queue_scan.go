package web

import (
	"bytes"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

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
