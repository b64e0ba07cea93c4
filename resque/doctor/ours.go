package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goresque/goresque/internal/store"
)

// heldPrefix is what the names of the keys begin with that have the places of limits.
// queueLimits is what follows for the limits of queues.
const (
	heldPrefix  = "goresque:held:"
	queueLimits = "q:"
)

// limits checks the limits and the places in them.
func (c *checkup) limits(ctx context.Context) error {
	all, err := c.store.Limits(ctx)
	if err := c.unless(err, "G03"); err != nil {
		return err
	}
	var idle []string
	known := map[string]bool{}
	for _, l := range all {
		known[l.Queue] = true
		if l.Err != nil {
			idle = append(idle, fmt.Sprintf("the limit of queue %q: %v", l.Queue, l.Err))
		}
	}
	var dead []string
	for some := range slices.Chunk(c.census.held, atOnce) {
		found, err := c.store.HeldOf(ctx, some)
		if err := c.unless(err, "G01"); err != nil || found == nil {
			return err
		}
		for _, l := range found {
			dead = append(dead, deadPlaces(l)...)
			if queue, ok := strings.CutPrefix(l.Name, queueLimits); ok && !known[queue] && len(l.Held) > 0 {
				idle = append(idle, fmt.Sprintf("places of queue %q, which has no limit", queue))
			}
		}
	}
	c.addLimits(dead, idle)
	return nil
}

func deadPlaces(l store.HeldLimit) (dead []string) {
	for _, p := range l.Held {
		if p.Dead {
			dead = append(dead, fmt.Sprintf("%s: %s", l.Name, p.Worker))
		}
	}
	return dead
}

func (c *checkup) addLimits(dead, idle []string) {
	c.list(dead, Finding{
		Code: "G01", Severity: Notice, Title: "Places of limits that no running job holds",
		Cost: "Fewer jobs run than the limit allows, until a worker frees the places: it does so when another job gets none. A Ruby process that prunes a Go worker leaves them.",
		Fix:  "goresque doctor --fix frees them.", Fixable: true,
	})
	c.list(idle, Finding{
		Code: "G03", Severity: Problem, Title: "Limits that are not applied",
		Cost: "More jobs run than you intended. Places of a queue without a limit only need memory.",
		Fix:  "goresque limits set QUEUE, or goresque limits clear QUEUE, which also removes places that were left.",
	})
}

// batches looks for batches that cannot complete.
func (c *checkup) batches(ctx context.Context) error {
	var waiting, broken []store.BatchState
	_, err := c.store.AnyBatch(ctx, func(b store.BatchState) bool {
		switch {
		case b.Fault != "":
			broken = append(broken, b)
		case b.Pending > 0:
			waiting = append(waiting, b)
		}
		return false
	})
	if err := c.unless(err, "G02"); err != nil {
		return err
	}
	var shown []string
	for _, b := range broken {
		shown = append(shown, fmt.Sprintf("%s: %s", b.ID, b.Fault))
	}
	if len(waiting) > 0 {
		lost, err := c.lost(ctx, waiting)
		if err := c.unless(err, "G02"); err != nil {
			return err
		}
		shown = append(shown, lost...)
	}
	c.list(shown, Finding{
		Code: "G02", Severity: Problem, Title: "Batches that cannot complete",
		Cost: "Their callbacks are never enqueued.",
		Fix:  "For a fault: correct the keys, and call Seal again. For lost members: goresque batches show ID prints the callbacks; enqueue them yourself. Programs that rewrite payloads lose the mark of a member: run goresque scheduler in place of Ruby's.",
	})
	return nil
}

// lost returns what is wrong with batches that have fewer members in their queues, delayed
// or running than have not ended. It looks twice, because a member may move while the jobs
// are read.
func (c *checkup) lost(ctx context.Context, waiting []store.BatchState) (lost []string, err error) {
	for range 2 {
		jobs, err := c.readJobs(ctx, "G02")
		if err != nil || jobs == nil {
			return nil, err
		}
		ids := make([]string, len(waiting))
		for i, b := range waiting {
			ids[i] = b.ID
		}
		if waiting, err = c.store.ReadBatches(ctx, ids); err != nil {
			return nil, err
		}
		lost = nil
		left := waiting[:0]
		for _, b := range waiting {
			if there := jobs.members[b.ID]; b.Pending > there {
				left = append(left, b)
				lost = append(lost, fmt.Sprintf("%s: %d members have not ended, and %d of them exist", b.ID, b.Pending, there))
			}
		}
		if waiting = left; len(waiting) == 0 {
			return nil, nil
		}
	}
	return lost, nil
}

// emptyQueues is from how many empty queues on they are a finding.
const emptyQueues = 100

// empty checks whether there are many queues without jobs that no worker names.
func (c *checkup) empty() {
	named := map[string]bool{}
	for _, w := range c.snap.Workers {
		for _, q := range w.Queues {
			named[q] = w.Registered || named[q]
		}
	}
	empty := map[string]bool{}
	for _, q := range c.snap.Queues {
		if q.Size == 0 && q.Err == nil && !named[q.Queue] {
			empty[q.Queue] = true
		}
	}
	if len(empty) < emptyQueues {
		return
	}
	c.add(Finding{
		Code: "K03", Severity: Notice, Title: "Many queues that have no jobs and that no worker names", Count: int64(len(empty)), Evidence: slices.Sorted(maps.Keys(empty)),
		Cost: "A Ruby worker of * asks Redis for each of them, again and again. The dashboards list them.",
		Fix:  "Remove those that are no longer used: goresque queues remove NAME, or the button on the page of the queue.",
	})
}
