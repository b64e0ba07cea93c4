package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/resque/limit"
)

// The columns that a cell has at most, and the bytes of a text in the details.
const (
	cellWidth   = 200
	detailBytes = 16 << 10
)

// silentAfter is how old a heartbeat is when a worker counts as silent, as in Ruby.
const silentAfter = 5 * time.Minute

// order is the order of queues.
type order int

const (
	byDepth order = iota
	byWait
	byName
	orders
)

func (o order) String() string { return [...]string{"jobs", "wait", "name"}[o] }

// runningJob is the job that a worker was running when it was read.
type runningJob struct{ worker, runAt string }

// queueState is what a key acts on in a list of queues.
type queueState struct {
	name   string
	size   int64
	paused bool
}

func (t texts) queues(snap resque.Snapshot, o order) list {
	l := list{known: true, columns: []column{
		{title: "QUEUE", share: 2},
		{title: "JOBS", width: 11, right: true},
		{title: "WAIT", width: 5, right: true},
		{title: "WORKERS", width: 7, right: true},
		{title: "STATE", width: 12},
		{title: "NEXT JOB", share: 2},
	}}
	sorted, serving := slices.Clone(snap.Queues), snap.Serving()
	slices.SortFunc(sorted, func(a, b resque.QueueState) int {
		byName := cmp.Compare(a.Queue, b.Queue)
		switch o {
		case byDepth:
			return cmp.Or(cmp.Compare(b.Size, a.Size), byName)
		case byWait:
			return cmp.Or(cmp.Compare(waited(b, snap.Now), waited(a, snap.Now)), cmp.Compare(b.Size, a.Size), byName)
		default:
			return byName
		}
	})
	for _, q := range sorted {
		l.rows = append(l.rows, t.queue(q, snap.Now, serving[q.Queue]))
	}
	return l
}

func (t texts) queue(q resque.QueueState, now time.Time, workers int) row {
	wait, next := "", ""
	if d := waited(q, now); d > 0 {
		wait = ago(d)
	}
	if q.Next != nil {
		next = classOf(q.Next)
	}
	r := row{key: q.Queue, target: queueState{q.Queue, q.Size, q.Paused}}
	state := ""
	switch {
	case q.Err != nil:
		state, r.mood = "wrong type", wrong
	case q.Paused:
		state, r.mood = "paused", notable
	case q.Size > 0 && workers == 0:
		state, r.mood = "no worker", wrong
	case q.Limit != nil && q.Limit.Concurrency > 0:
		state = fmt.Sprintf("limit %d/%d", q.Limit.Running, q.Limit.Concurrency)
	case q.Limit != nil && q.Limit.Rate > 0:
		state = limit.Rate{Jobs: q.Limit.Rate, Per: q.Limit.Per}.String()
	case q.Size == 0:
		r.mood = quiet
	}
	r.cells = []string{
		t.line(q.Queue, cellWidth), grouped(q.Size), wait, grouped(int64(workers)), state, t.line(next, cellWidth),
	}
	return r
}

// waited returns how long the next job of a queue has been waiting, or 0 if its payload has
// no time.
func waited(q resque.QueueState, now time.Time) time.Duration {
	if q.Next == nil {
		return 0
	}
	at, ok := q.Next.WaitingSince()
	if !ok {
		return 0
	}
	return max(now.Sub(at), time.Second)
}

// classOf returns the class of a job, for a Rails job that of the job inside.
func classOf(job *resque.Payload) string {
	inside, _ := activejob.Unwrap(job)
	return cmp.Or(inside.Class, "(unreadable)")
}

func (t texts) working(snap resque.Snapshot) list {
	l := list{known: true, columns: []column{
		{title: "FOR", width: 5, right: true},
		{title: "QUEUE", share: 2},
		{title: "CLASS", share: 3},
		{title: "ARGUMENTS", share: 3},
		{title: "WORKER", share: 3},
	}}
	var busy []resque.RegisteredWorker
	for _, w := range snap.Workers {
		if w.Working && w.Job != nil {
			busy = append(busy, w)
		}
	}
	slices.SortStableFunc(busy, func(a, b resque.RegisteredWorker) int { return a.RunAt.Compare(b.RunAt) })
	for _, w := range busy {
		l.rows = append(l.rows, t.running(w, snap.Now))
	}
	return l
}

func (t texts) running(w resque.RegisteredWorker, now time.Time) row {
	inside, _ := activejob.Unwrap(w.Job)
	worker := w.ID
	if w.Host != "" {
		worker = fmt.Sprintf("%s:%d", w.Host, w.PID)
	}
	r := row{key: w.ID + " " + w.RunAtText, target: runningJob{w.ID, w.RunAtText}}
	if isSilent(w) || w.Damage != nil {
		r.mood = wrong
	}
	args := argsText(inside.Args, 4*cellWidth)
	if w.JobSize > int64(len(w.Job.Raw)) {
		args = ""
	}
	r.cells = []string{
		since(w.RunAt, now), t.line(w.Job.Queue, cellWidth), t.line(classOf(w.Job), cellWidth), t.line(args, cellWidth), t.line(worker, cellWidth),
	}
	r.fields = []field{
		{"worker", w.ID},
		{"heartbeat", heartbeatText(w)},
		{"queue", w.Job.Queue},
		{"class", classOf(w.Job)},
		{"since", momentText(w.RunAt, w.RunAtText)},
		{"damaged", errorText(w.Damage)},
		{"payload", rawText(w.Job.Raw, w.JobSize)},
	}
	return r
}

func isSilent(w resque.RegisteredWorker) bool {
	return !w.Heartbeat.IsZero() && w.Silence > silentAfter
}

func heartbeatText(w resque.RegisteredWorker) string {
	if w.Heartbeat.IsZero() {
		return w.HeartbeatText
	}
	return ago(w.Silence) + " ago"
}

func (t texts) failures(jobs []resque.FailedJob, now time.Time) list {
	l := list{known: true, columns: []column{
		{title: "AGO", width: 5, right: true},
		{title: "QUEUE", share: 2},
		{title: "CLASS", share: 3},
		{title: "ERROR", share: 6},
	}}
	for _, job := range jobs {
		r := row{key: job.ID.List + " " + job.ID.Digest, target: job.ID}
		what := job.Exception + ": " + cutBytes(job.Error, 8*cellWidth)
		switch {
		case job.Requeued:
			r.mood, what = quiet, "(retried) "+what
		case job.Damage != nil && job.IsWhole():
			r.mood, what = wrong, "damaged: "+errorText(job.Damage)
		}
		class := failedClass(job)
		r.cells = []string{since(job.FailedAt, now), t.line(job.Queue, cellWidth), t.line(class, cellWidth), t.line(what, cellWidth)}
		r.fields = []field{
			{"failure", job.ID.String()},
			{"failed", momentText(job.FailedAt, job.FailedAtText)},
			{"retried", momentText(job.RequeuedAt, job.RequeuedAtText)},
			{"queue", job.Queue},
			{"class", class},
			{"worker", job.Worker},
			{"exception", job.Exception},
			{"error", cutBytes(job.Error, detailBytes)},
			{"damaged", errorText(job.Damage)},
			{"payload", rawText(job.Payload, int64(len(job.Payload)))},
			{"backtrace", backtraceText(job.Backtrace)},
		}
		if !job.IsWhole() {
			r.fields = append(r.fields, field{"record", rawText(job.Raw, job.Size)})
		}
		l.rows = append(l.rows, r)
	}
	return l
}

func failedClass(job resque.FailedJob) string {
	if inside, ok := activejob.Failed(job); ok {
		return inside.Class
	}
	return job.Class
}

func backtraceText(lines []string) string {
	var text strings.Builder
	for _, line := range lines {
		if text.Len() > detailBytes {
			break
		}
		text.WriteString("\n" + line)
	}
	return cutBytes(text.String(), detailBytes)
}

func delayedColumns() []column {
	return []column{
		{title: "DUE IN", width: 7, right: true},
		{title: "QUEUE", share: 2},
		{title: "CLASS", share: 3},
		{title: "ARGUMENTS", share: 4},
	}
}

func (t texts) delayed(jobs []resque.DelayedJob, now time.Time) list {
	l := list{known: true, columns: delayedColumns()}
	for _, job := range jobs {
		r := t.delayedJob(job, now)
		r.cells = append(r.cells, t.line(argsText(insideDelayed(job).Args, 4*cellWidth), cellWidth))
		l.rows = append(l.rows, r)
	}
	return l
}

// delayedJob returns a row without its last cells.
func (t texts) delayedJob(job resque.DelayedJob, now time.Time) row {
	r := row{key: job.ID.String(), target: job.ID}
	due := ago(job.Due.Sub(now))
	if late := now.Sub(job.Due); late > 0 {
		due, r.mood = "-"+ago(late), notable
	}
	class := delayedClass(job)
	if job.Damage != nil {
		r.mood = wrong
	}
	r.cells = []string{due, t.line(job.Queue, cellWidth), t.line(class, cellWidth)}
	r.fields = []field{
		{"job", job.ID.String()},
		{"due", momentText(job.Due, "")},
		{"queue", job.Queue},
		{"class", class},
		{"damaged", errorText(job.Damage)},
		{"payload", rawText(job.Raw, int64(len(job.Raw)))},
	}
	return r
}

// insideDelayed returns the job that is performed: for a Rails job the one inside.
func insideDelayed(job resque.DelayedJob) *resque.Payload {
	inside, _ := activejob.Unwrap(&resque.Payload{Class: job.Class, Queue: job.Queue, Args: job.Args, Raw: job.Raw})
	return inside
}

func delayedClass(job resque.DelayedJob) string {
	if job.Damage != nil {
		return "(damaged)"
	}
	return insideDelayed(job).Class
}

func (t texts) retries(jobs []resque.RetryingJob, now time.Time) list {
	columns := delayedColumns()
	l := list{known: true, columns: append(columns[:3:3], column{title: "TRIES", width: 5, right: true}, column{title: "LAST ERROR", share: 4})}
	for _, job := range jobs {
		r := t.delayedJob(job.DelayedJob, now)
		tries, last := "?", ""
		if job.Attempt > 0 {
			tries = grouped(job.Attempt)
		}
		if job.Failure.Exception != "" {
			last = job.Failure.Exception + ": " + cutBytes(job.Failure.Error, 8*cellWidth)
		}
		r.cells = append(r.cells, tries, t.line(last, cellWidth))
		r.fields = append(r.fields,
			field{"attempts", tries}, field{"exception", job.Failure.Exception}, field{"error", cutBytes(job.Failure.Error, detailBytes)},
			field{"backtrace", backtraceText(job.Failure.Backtrace)})
		l.rows = append(l.rows, r)
	}
	return l
}

// waitingJobs returns the first jobs of a queue as lines of its details.
func (t texts) waitingJobs(jobs []resque.QueuedJob, queue string) []string {
	lines := []string{"  position  class and arguments of the next jobs", ""}
	for _, job := range jobs {
		text := cutBytes(string(job.Raw[:min(len(job.Raw), 4*cellWidth)]), 4*cellWidth)
		if payload, err := resque.ParsePayload(queue, job.Raw); err == nil {
			inside, _ := activejob.Unwrap(payload)
			text = inside.Class + " " + argsText(inside.Args, 4*cellWidth)
		}
		lines = append(lines, fmt.Sprintf("%10d  %s", job.ID.Position, t.line(text, cellWidth)))
	}
	return lines
}

// rawText returns the beginning of a text, and its size if that is not all.
func rawText(raw []byte, size int64) string {
	text := string(raw[:min(len(raw), detailBytes)])
	if int64(len(text)) < size {
		return fmt.Sprintf("(the beginning of %s bytes) %s", grouped(size), text)
	}
	return text
}

func momentText(at time.Time, text string) string {
	if at.IsZero() {
		return text
	}
	return at.UTC().Format("2006-01-02 15:04:05 UTC")
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return cutBytes(err.Error(), detailBytes)
}
