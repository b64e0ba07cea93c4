package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goresque/goresque/internal/cron"
	"github.com/goresque/goresque/resque/scheduler"
)

// schedules checks the recurring entries.
func (c *checkup) schedules(ctx context.Context) error {
	all, err := scheduler.Schedules(ctx, c.client)
	if err := c.unless(err, "C01", "C02", "C03"); err != nil {
		return err
	}
	var bad, differ, idle []string
	for _, s := range all {
		switch {
		case errors.Is(s.Err, cron.ErrVersions):
			differ = append(differ, fmt.Sprintf("%s: %v", s.Name, s.Err))
		case s.Err != nil:
			bad = append(bad, fmt.Sprintf("%s: %v", s.Name, s.Err))
		case !s.Running && !s.Off:
			idle = append(idle, s.Name)
		}
		if next, other, ok := s.Readings(); ok {
			differ = append(differ, fmt.Sprintf("%s: %s is next on %s, or on %s", s.Name, s.Cron, next.Format(time.RFC1123Z), other.Format(time.RFC1123Z)))
		}
	}
	c.list(bad, Finding{
		Code: "C01", Severity: Problem, Title: "Recurring entries that cannot be read",
		Cost: "They never run. Some of them end Ruby's scheduler at its start.",
		Fix:  "goresque schedule set NAME with a correct line, or goresque schedule remove NAME",
	})
	c.list(differ, Finding{
		Code: "C02", Severity: Problem, Title: "Recurring entries that versions of fugit read differently",
		Cost: "Ruby's schedulers read cron lines with the gem fugit. After an update of it, or on a host with another version, these entries run at other times, or end the scheduler. goresque does not run those that only some versions read.",
		Fix:  "Write the line in a way that all versions read: goresque schedule check says how. For weeks such as mon%2, see MondayWeeks in docs/schedules.md.",
	})
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
