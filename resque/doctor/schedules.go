package doctor

import (
	"context"
	"fmt"

	"github.com/goresque/goresque/resque/scheduler"
)

// schedules checks the recurring entries.
func (c *checkup) schedules(ctx context.Context) error {
	all, err := scheduler.Schedules(ctx, c.client)
	if err := c.unless(err, "C01", "C03"); err != nil {
		return err
	}
	var bad, idle []string
	for _, s := range all {
		switch {
		case s.Err != nil:
			bad = append(bad, fmt.Sprintf("%s: %v", s.Name, s.Err))
		case !s.Running && !s.Off:
			idle = append(idle, s.Name)
		}
	}
	if len(bad) > 0 {
		c.add(Finding{
			Code: "C01", Severity: Problem, Title: "Recurring entries that cannot be read", Count: int64(len(bad)), Evidence: bad,
			Cost: "They never run. Some of them end Ruby's scheduler at its start.",
			Fix:  "goresque schedule set NAME with a correct line, or goresque schedule remove NAME",
		})
	}
	if len(idle) > 0 && c.noMaster(ctx) {
		c.add(Finding{
			Code: "C03", Severity: Problem, Title: "Recurring entries that no scheduler runs", Count: int64(len(idle)), Evidence: idle,
			Cost: "Their jobs are not enqueued.",
			Fix:  "Run goresque scheduler --dynamic, or Ruby's resque:scheduler with DYNAMIC_SCHEDULE=1.",
		})
	}
	return nil
}

// noMaster reports whether no scheduler is master, as far as is known.
func (c *checkup) noMaster(ctx context.Context) bool {
	status, err := scheduler.ReadStatus(ctx, c.client, c.opts.LockPrefix)
	return err == nil && status.Master == ""
}
