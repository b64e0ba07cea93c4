package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/fnmatch"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// roster is what is wrong with the workers.
type roster struct{ silent, unreadable, stars, leftover []string }

// workers checks the registered workers and their heartbeats.
func (c *checkup) workers(ctx context.Context) error {
	dead, err := c.dead(ctx)
	if err := c.unless(err, "W01"); err != nil {
		return err
	}
	var r roster
	var goQueues, ruby bool
	for _, w := range c.snap.Workers {
		goQueues, ruby = goQueues || w.Go, ruby || !w.Go
		switch {
		case !w.Registered:
			r.leftover = append(r.leftover, w.ID)
		case slices.Contains(dead, w.ID):
			r.silent = append(r.silent, fmt.Sprintf("%s, last heard of %v ago%s", w.ID, w.Silence.Round(time.Second), running(w)))
		}
		if w.HeartbeatText != "" && w.Heartbeat.IsZero() {
			r.unreadable = append(r.unreadable, fmt.Sprintf("%s: %.60q", w.ID, w.HeartbeatText))
		}
		if !w.Go && slices.Contains(w.Queues, "*") {
			r.stars = append(r.stars, w.ID)
		}
	}
	if !goQueues || !ruby {
		r.stars = nil
	}
	c.addWorkers(r)
	c.unserved()
	return nil
}

// dead returns the workers that seem to be dead now. A sweeper watches them for longer
// before it prunes them.
func (c *checkup) dead(ctx context.Context) ([]string, error) {
	var dead []string
	var refused error
	for _, w := range c.snap.Workers {
		if !w.Registered || w.HeartbeatText == "" || w.Silence < c.opts.Silence {
			continue
		}
		if w.Go {
			id, _ := wire.ParseWorkerID(w.ID)
			tokens, known, err := c.store.Present(ctx, id.Process())
			if err != nil {
				refused = err
				continue
			}
			if known && len(tokens) > 0 {
				continue
			}
		}
		dead = append(dead, w.ID)
	}
	return dead, refused
}

func running(w resque.RegisteredWorker) string {
	if w.Job == nil {
		return ""
	}
	return fmt.Sprintf(", with a job of class %q", w.Job.Class)
}

func (c *checkup) addWorkers(r roster) {
	if len(r.silent) > 0 {
		c.add(Finding{
			Code: "W01", Severity: Problem, Title: "Workers that seem to be dead", Count: int64(len(r.silent)), Evidence: r.silent,
			Cost: "Their running jobs are not recorded as failed until a worker prunes them.",
			Fix:  "Start a worker, Go's or Ruby's: it prunes dead workers. Or prune one now: goresque remove ID.",
		})
	}
	if len(r.unreadable) > 0 {
		c.add(Finding{
			Code: "W02", Severity: Problem, Title: "Heartbeats that cannot be read", Count: int64(len(r.unreadable)), Evidence: r.unreadable,
			Cost: "Each Ruby worker that starts fails at it.",
			Fix:  "Remove the field from the hash workers:heartbeat, or prune the worker: goresque remove ID.",
		})
	}
	if len(r.stars) > 0 {
		c.add(Finding{
			Code: "W04", Severity: Notice, Title: "Ruby workers of all queues beside Go workers", Count: int64(len(r.stars)), Evidence: r.stars,
			Cost: "They also take jobs whose classes only Go knows, which then fail with NameError.",
			Fix:  "Give Ruby's workers names of queues, or exclude Go's: QUEUES='*,!exports'.",
		})
	}
	if len(r.leftover) > 0 {
		c.add(Finding{
			Code: "W06", Severity: Notice, Title: "Heartbeats of workers that are not registered", Count: int64(len(r.leftover)), Evidence: r.leftover,
			Cost: "None. Lists of workers show them as silent.",
			Fix:  "goresque doctor --fix removes those that are silent.", Fixable: true,
		})
	}
}

// unserved checks whether there are queues with jobs that no worker serves.
func (c *checkup) unserved() {
	var alone []string
	for _, q := range c.snap.Queues {
		if q.Size > 0 && !q.Paused && !slices.ContainsFunc(c.snap.Workers, func(w resque.RegisteredWorker) bool { return w.Registered && serves(w, q.Queue) }) {
			alone = append(alone, fmt.Sprintf("queue %q has %d jobs", q.Queue, q.Size))
		}
	}
	if len(alone) > 0 {
		c.add(Finding{
			Code: "W05", Severity: Problem, Title: "Queues with jobs that no registered worker serves", Count: int64(len(alone)), Evidence: alone,
			Cost: "Their jobs wait until a worker of these queues starts.",
			Fix:  "Start one: QUEUE=NAME goresque work. Or look for a typing error in the name of the queue.",
		})
	}
	if c.snap.Paused {
		c.add(Finding{
			Code: "W07", Severity: Notice, Title: "All workers are paused", Evidence: []string{"pause-all-workers or pause:all is set"},
			Cost: "No job is performed.", Fix: "goresque resume",
		})
	}
}

// serves reports whether a worker serves a queue. A pattern serves all that it may match.
func serves(w resque.RegisteredWorker, queue string) bool {
	for _, q := range w.Queues {
		if q == queue || strings.ContainsAny(q, "*?[") && !strings.HasPrefix(q, "!") && fnmatch.Match(q, queue) {
			return true
		}
	}
	return false
}
