package worker

import (
	"context"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// endLost ends the running jobs whose records are gone: another process took this one for
// dead, because it was stopped or had no connection for long. It is called after each
// heartbeat, so that such a job does not run beside its next attempt for longer than that.
func (r *run) endLost(ctx context.Context) {
	var slots []*slot
	var jobs []*runningJob
	var records []store.Reserved
	for _, s := range r.allSlots() {
		if in := s.job(); in != nil {
			slots, jobs, records = append(slots, s), append(jobs, in), append(records, in.reserved)
		}
	}
	if len(jobs) == 0 {
		return
	}
	held, err := r.backend.Held(ctx, records)
	if err != nil {
		return // the next heartbeat looks again
	}
	for i, in := range jobs {
		if !held[i] && slots[i].lose(in) {
			r.cfg.Logger.Warn("the record of a running job is gone, the job is told to end",
				"class", in.class, "queue", in.reserved.Queue, "worker", in.reserved.Worker)
		}
	}
}

// job returns the running job, or nil.
func (s *slot) job() *runningJob {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

// lose ends the context of a job whose record is gone. It returns false if the job has
// ended or was told before.
func (s *slot) lose(in *runningJob) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != in || in.lost {
		return false
	}
	in.lost = true
	s.interruptLocked(in, resque.ErrLost, false)
	return true
}

// isLost reports whether the record of a job is gone. Then the process that removed it has
// also recorded the failure and called the hooks.
func (s *slot) isLost(in *runningJob) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return in.lost
}
