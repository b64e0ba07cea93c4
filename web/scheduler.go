package web

import (
	"context"
	"time"

	"github.com/goresque/goresque/resque/scheduler"
)

// schedulerRow is the scheduler that moves delayed jobs, as pages show it.
type schedulerRow struct {
	Master   string // "" if no scheduler is running
	Host     string
	PID      int
	Go       bool // false for Ruby's scheduler
	Since    time.Time
	Moved    int64
	Lateness time.Duration // of the jobs that it moved last
	Overdue  time.Duration // how long the first delayed job has been due; 0 if none is
}

// overdueNote is how long a delayed job is due before pages say so. Ruby's scheduler
// looks every 5 seconds.
const overdueNote = 30 * time.Second

// IsLate reports whether delayed jobs are not moved in time.
func (r schedulerRow) IsLate() bool { return r.Overdue > overdueNote }

func (h *Dashboard) schedulerRow(ctx context.Context) (schedulerRow, error) {
	s, err := scheduler.ReadStatus(ctx, h.client, h.cfg.SchedulerLockPrefix)
	return schedulerRow{
		Master: s.Master, Host: s.Host, PID: s.PID, Go: s.Go, Since: s.Since, Moved: s.Moved, Lateness: s.Lateness, Overdue: s.Overdue,
	}, err
}
