package doctor

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// late is how late a delayed job may be before it is a finding. Ruby's scheduler looks
// every 5 seconds.
const late = 30 * time.Second

// maxDelayed is how many delayed jobs are read.
const maxDelayed = 10_000

// delayed checks delayed jobs and the schedulers.
func (c *checkup) delayed(ctx context.Context) error {
	status, err := scheduler.ReadStatus(ctx, c.client, c.opts.LockPrefix)
	if err := c.unless(err, "D01", "D07"); err != nil {
		return err
	}
	if err == nil {
		c.master(status)
	}
	if err := c.nodeLock(ctx); err != nil {
		return err
	}
	repair, err := c.repair(ctx)
	if err := c.unless(err, "D04", "D05"); err != nil {
		return err
	}
	if repair.Added > 0 {
		c.add(Finding{
			Code: "D04", Severity: Problem, Title: "Delayed jobs that no scheduler would find", Count: repair.Added,
			Cost: "They are never moved to their queues. A Ruby process that died while it delayed a job leaves them.",
			Fix:  "goresque doctor --fix, or goresque delayed repair", Fixable: true,
		})
	}
	if repair.Removed > 0 {
		c.add(Finding{
			Code: "D05", Severity: Notice, Title: "Due seconds without jobs", Count: repair.Removed,
			Cost: "None. The dashboards count them.", Fix: "goresque doctor --fix, or goresque delayed repair", Fixable: true,
		})
	}
	return c.damagedDelayed(ctx)
}

// repair returns how many seconds would be added and removed. The census knows the lists of
// delayed jobs, unless only some keys were looked at.
func (c *checkup) repair(ctx context.Context) (r resque.DelayedRepair, err error) {
	if !c.census.whole {
		return c.client.Delayed().Repair(ctx, true)
	}
	for some := range slices.Chunk(c.census.delayed, atOnce) {
		unknown, err := c.store.UnknownDelayed(ctx, some)
		if err != nil {
			return r, err
		}
		r.Added += int64(len(unknown))
	}
	for next, more := int64(math.MinInt64), true; more; {
		var seconds []store.DelayedSecond
		if seconds, next, more, err = c.store.DelayedSeconds(ctx, next, math.MaxInt64); err != nil {
			return r, err
		}
		for _, s := range seconds {
			if s.Err == nil && s.Jobs == 0 {
				r.Removed++
			}
		}
	}
	return r, nil
}

func (c *checkup) master(s scheduler.Status) {
	switch {
	case s.Master == "" && s.Overdue > late:
		c.add(Finding{
			Code: "D01", Severity: Problem, Title: "Delayed jobs are due, and there is no scheduler",
			Evidence: []string{fmt.Sprintf("the first one has been due for %v", s.Overdue.Round(time.Second))},
			Cost:     "Delayed jobs and retries with a delay are not performed.",
			Fix:      "Run goresque scheduler, or goresque work --scheduler, or Ruby's resque:scheduler.",
		})
	case s.Overdue > late:
		c.add(Finding{
			Code: "D07", Severity: Problem, Title: "The scheduler is late",
			Evidence: []string{fmt.Sprintf("the first job has been due for %v; the master is %s", s.Overdue.Round(time.Second), s.Master)},
			Cost:     "Delayed jobs and retries run later than they should.",
			Fix:      "Check that this process is alive and reads its log. If it is gone and its lock does not expire, see D02. Ruby's scheduler cannot move more than some hundred jobs a second; goresque scheduler can.",
		})
	}
}

// nodeLock checks whether a scheduler of node-resque, which has another lock, runs beside
// one of Ruby or Go.
func (c *checkup) nodeLock(ctx context.Context) error {
	const key = "resque_scheduler_master_lock" // below the namespace once, not twice
	value, ok, err := c.client.ReadKey(ctx, key, "", 1)
	if err := c.unless(err, "D03"); err != nil || !ok {
		return err
	}
	c.add(Finding{
		Code: "D03", Severity: Problem, Title: "Two kinds of schedulers", Evidence: []string{fmt.Sprintf("%s is %q", key, strings.Join(value.Values, ""))},
		Cost: "node-resque's scheduler uses another lock. If one of Ruby or Go also runs, both move delayed jobs, and some are moved twice.",
		Fix:  "Run schedulers of one kind only.",
	})
	return nil
}

// damagedDelayed looks for delayed jobs that cannot be moved.
func (c *checkup) damagedDelayed(ctx context.Context) error {
	var damaged []string
	unreadable := false
	for job, err := range c.damaged(ctx) {
		if err != nil {
			return c.unless(err, "D06")
		}
		damaged = append(damaged, fmt.Sprintf("due %s: %v", job.Due.Format(time.RFC3339), job.Damage))
		unreadable = unreadable || job.Class == ""
	}
	c.list(damaged, Finding{
		Code: "D06", Severity: Problem, Title: "Delayed jobs that cannot be performed",
		Cost: "Ruby's scheduler ends when it reads one that is not JSON, and loses one that has no queue. goresque's records them as failed when they are due.",
		Fix:  "goresque doctor --fix records those without a class as failed now. Look at the others with goresque delayed list, and remove them with goresque delayed remove.", Fixable: unreadable,
	})
	return nil
}

// damaged returns the delayed jobs that cannot be moved.
func (c *checkup) damaged(ctx context.Context) iter.Seq2[resque.DelayedJob, error] {
	return func(yield func(resque.DelayedJob, error) bool) {
		read := 0
		for job, err := range c.client.Delayed().Jobs(ctx, resque.DelayedFilter{}) {
			if read++; err == nil && read > maxDelayed && !c.opts.Deep {
				c.report.Unchecked = append(c.report.Unchecked, Unchecked{[]string{"D06"}, fmt.Sprintf("only the first %d delayed jobs were read; --deep reads all", maxDelayed)})
				return
			}
			if (err != nil || job.Damage != nil) && !yield(job, err) {
				return
			}
		}
	}
}
