package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/fnmatch"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// roster is what is wrong with the workers.
type roster struct{ silent, unreadable, atRisk, stars, leftover []string }

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
	r.atRisk = c.atRisk(dead)
	c.addWorkers(r)
	seen, err := c.store.Observe(ctx)
	if err := c.unless(err, "W05"); err != nil {
		return err
	}
	c.unserved(seen.Intervals)
	return nil
}

// atRisk returns the ids that a Ruby worker takes for dead workers of its own host, or at
// which it fails, when it starts.
//
// Ruby: Resque::Worker#prune_dead_workers.
func (c *checkup) atRisk(dead []string) (ids []string) {
	processes := map[string][]string{} // the ids of Ruby's workers, by host and pid
	hosts := map[string]bool{}         // that have workers of Ruby
	for _, w := range c.snap.Workers {
		id, whole := wire.ParseWorkerID(w.ID)
		switch {
		case !w.Registered:
		case !whole || len(id.Queues) == 0:
			ids = append(ids, w.ID+" is not HOST:PID:QUEUES, so each Ruby worker that starts fails")
		case !id.Go && isNumber(id.Number) && !slices.Contains(dead, w.ID):
			hosts[id.Host] = true
			processes[id.Process()] = append(processes[id.Process()], w.ID)
		}
	}
	for _, w := range c.snap.Workers {
		if id, whole := wire.ParseWorkerID(w.ID); w.Registered && whole && !id.Go && !isNumber(id.Number) && hosts[id.Host] {
			ids = append(ids, w.ID+" is not Ruby's and has the name of a host with Ruby workers")
		}
	}
	for _, same := range processes {
		if len(same) > 1 {
			slices.Sort(same)
			ids = append(ids, strings.Join(same, " and ")+" have the same host and pid, as in containers with the same host name")
		}
	}
	slices.Sort(ids)
	return ids
}

func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

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
	c.list(r.silent, Finding{
		Code: "W01", Severity: Problem, Title: "Workers that seem to be dead",
		Cost: "Their running jobs are not recorded as failed until a worker prunes them.",
		Fix:  "Start a worker, Go's or Ruby's: it prunes dead workers. Or prune one now: goresque remove ID.",
	})
	c.list(r.unreadable, Finding{
		Code: "W02", Severity: Problem, Title: "Heartbeats that cannot be read",
		Cost: "Each Ruby worker that starts fails at it.",
		Fix:  "goresque doctor --fix removes them. A worker that is alive writes its next one within a minute.", Fixable: true,
	})
	c.list(r.atRisk, Finding{
		Code: "W03", Severity: Problem, Title: "Worker ids at which Ruby's workers fail, or that they prune although they are alive",
		Cost: "A Ruby worker that starts on a host unregisters all workers with the name of the host whose pid it does not find among its own processes. Their running jobs are recorded as failed, and then continue.",
		Fix:  "Give each container its own host name. Run workers of other libraries on other hosts, or use goresque, whose ids have ~go. Remove an id that is not HOST:PID:QUEUES: goresque remove ID.",
	})
	c.list(r.stars, Finding{
		Code: "W04", Severity: Notice, Title: "Ruby workers of all queues beside Go workers",
		Cost: "They also take jobs whose classes only Go knows, which then fail with NameError.",
		Fix:  "Give Ruby's workers names of queues, or exclude Go's: QUEUES='*,!exports'.",
	})
	c.list(r.leftover, Finding{
		Code: "W06", Severity: Notice, Title: "Heartbeats of workers that are not registered",
		Cost: "None. Lists of workers show them as silent.",
		Fix:  "goresque doctor --fix removes those that are silent.", Fixable: true,
	})
}

// unserved checks whether there are queues with jobs that no worker serves.
//
// The id of a worker does not have the queues that it excludes. Go's workers publish them.
// Those that Ruby's exclude are not known.
func (c *checkup) unserved(published map[string]store.Intervals) {
	var alone []string
	for _, q := range c.snap.Queues {
		if q.Size > 0 && !q.Paused && !slices.ContainsFunc(c.snap.Workers, func(w resque.RegisteredWorker) bool {
			return w.Registered && serves(w, q.Queue) && !excludes(published[w.ID].Excluded, q.Queue)
		}) {
			alone = append(alone, fmt.Sprintf("queue %q has %d jobs", q.Queue, q.Size))
		}
	}
	c.list(alone, Finding{
		Code: "W05", Severity: Problem, Title: "Queues with jobs that no registered worker serves",
		Cost: "Their jobs wait until a worker of these queues starts.",
		Fix:  "Start one: QUEUE=NAME goresque work. Or look for a typing error in the name of the queue.",
	})
	if c.snap.Paused {
		c.add(Finding{
			Code: "W07", Severity: Notice, Title: "All workers are paused", Evidence: []string{"pause-all-workers or pause:all is set"},
			Cost: "No job is performed.", Fix: "goresque resume",
		})
	}
}

// excludes reports whether a worker excludes a queue.
func excludes(excluded, queue string) bool {
	for pattern := range strings.SplitSeq(excluded, ",") {
		if name, ok := strings.CutPrefix(pattern, "!"); ok && fnmatch.Match(name, queue) {
			return true
		}
	}
	return false
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
