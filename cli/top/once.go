package top

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/goresque/goresque/resque"
)

// onceRows is how many jobs of a kind are printed once.
const onceRows = 25

// state is what is printed once.
type state struct {
	snap     resque.Snapshot
	failures []resque.FailedJob
	delayed  []resque.DelayedJob
	retries  []resque.RetryingJob
}

func (r reader) state(ctx context.Context) (s state, err error) {
	if s.snap, err = r.client.Snapshot(ctx); err != nil {
		return s, err
	}
	if s.failures, _, err = r.failures(ctx, s.snap, onceRows); err != nil {
		return s, err
	}
	if s.delayed, _, err = r.delayed(ctx, onceRows); err != nil {
		return s, err
	}
	s.retries, _, err = r.retries(ctx, onceRows)
	return s, err
}

// printTables prints the state as tables.
func (s state) printTables(w io.Writer, m model) {
	m.snap, m.known, m.width = s.snap, true, 1<<20
	m.ascii = false
	fmt.Fprintf(w, "%s  %s\n", m.title, s.snap.Now.UTC().Format("2006-01-02 15:04:05 UTC"))
	c := countsOf(s.snap)
	fmt.Fprintf(w, "waiting %d  running %d  workers %d  silent %d  failed %d  done %d", c.Waiting, c.Running, c.Workers, c.Silent, c.Failed, c.Processed)
	if s.snap.Paused {
		fmt.Fprint(w, "  all paused")
	}
	fmt.Fprintln(w)
	for _, damage := range s.snap.Damage {
		fmt.Fprintln(w, "damaged: "+m.line(damage.Error(), cellWidth))
	}
	for _, table := range []struct {
		title string
		list  list
	}{
		{"Queues", m.queues(s.snap, byDepth)},
		{"Workers", m.hostList(s.snap)},
		{"Running jobs", m.working(s.snap)},
		{"Newest failures", m.failures(s.failures, s.snap.Now)},
		{"Next delayed jobs", m.delayed(s.delayed, s.snap.Now)},
		{"Next retries", m.retries(s.retries, s.snap.Now)},
	} {
		if len(table.list.rows) > 0 {
			fmt.Fprintf(w, "\n%s\n%s", table.title, plainTable(m.texts, table.list))
		}
	}
}

// counts are the numbers of a snapshot.
type counts struct {
	Waiting   int64 `json:"waiting"`
	Running   int   `json:"running"`
	Workers   int   `json:"workers"`
	Silent    int   `json:"silent"`
	Failed    int64 `json:"failed"`
	Processed int64 `json:"processed"`
}

func countsOf(snap resque.Snapshot) counts {
	workers := countWorkers(snap)
	c := counts{Running: workers.working, Workers: workers.registered, Silent: workers.silent, Processed: snap.Processed}
	for _, q := range snap.Queues {
		c.Waiting += q.Size
	}
	for _, f := range snap.Failures {
		c.Failed += f.Size
	}
	return c
}

// stateJSON is the state as --json prints it.
type stateJSON struct {
	Time   time.Time `json:"time"`
	Redis  string    `json:"redis"`
	Paused bool      `json:"paused"`
	counts
	Queues   []queueJSON   `json:"queues"`
	Running  []runningJSON `json:"running_jobs"`
	Failures []failureJSON `json:"failures"`
	Delayed  []delayedJSON `json:"delayed"`
	Retries  []delayedJSON `json:"retries"`
	Damage   []string      `json:"damage"`
}

type queueJSON struct {
	Queue   string  `json:"queue"`
	Size    int64   `json:"size"`
	Paused  bool    `json:"paused"`
	Workers int     `json:"workers"`
	Wait    float64 `json:"wait"` // seconds; 0 if not known
}

type runningJSON struct {
	Worker string     `json:"worker"`
	Queue  string     `json:"queue"`
	Class  string     `json:"class"`
	RunAt  *time.Time `json:"run_at"`
}

type failureJSON struct {
	ID        string     `json:"id"`
	FailedAt  *time.Time `json:"failed_at"`
	Queue     string     `json:"queue"`
	Class     string     `json:"class"`
	Exception string     `json:"exception"`
	Error     string     `json:"error"`
	Retried   bool       `json:"retried"`
}

type delayedJSON struct {
	ID      string    `json:"id"`
	Due     time.Time `json:"due"`
	Queue   string    `json:"queue"`
	Class   string    `json:"class"`
	Attempt int64     `json:"attempt,omitempty"`
}

func (s state) printJSON(w io.Writer, title string) error {
	j := stateJSON{
		Time: s.snap.Now, Redis: title, Paused: s.snap.Paused, counts: countsOf(s.snap),
		Queues: []queueJSON{}, Running: []runningJSON{}, Failures: []failureJSON{}, Delayed: []delayedJSON{}, Retries: []delayedJSON{}, Damage: []string{},
	}
	serving := s.snap.Serving()
	for _, q := range s.snap.Queues {
		j.Queues = append(j.Queues, queueJSON{q.Queue, q.Size, q.Paused, serving[q.Queue], waited(q, s.snap.Now).Seconds()})
	}
	for _, job := range s.snap.Workers {
		if job.Working && job.Job != nil {
			j.Running = append(j.Running, runningJSON{job.ID, job.Job.Queue, classOf(job.Job), known(job.RunAt)})
		}
	}
	for _, f := range s.failures {
		j.Failures = append(j.Failures, failureJSON{
			f.ID.String(), known(f.FailedAt), f.Queue, failedClass(f), f.Exception, cutBytes(f.Error, detailBytes), f.Requeued,
		})
	}
	for _, d := range s.delayed {
		j.Delayed = append(j.Delayed, asDelayedJSON(d))
	}
	for _, d := range s.retries {
		job := asDelayedJSON(d.DelayedJob)
		job.Attempt = d.Attempt
		j.Retries = append(j.Retries, job)
	}
	for _, damage := range s.snap.Damage {
		j.Damage = append(j.Damage, damage.Error())
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(j); err != nil {
		return fmt.Errorf("printing the state: %w", err)
	}
	return nil
}

func asDelayedJSON(job resque.DelayedJob) delayedJSON {
	return delayedJSON{ID: job.ID.String(), Due: job.Due, Queue: job.Queue, Class: delayedClass(job)}
}

func known(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
