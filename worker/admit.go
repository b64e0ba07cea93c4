package worker

import (
	"context"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// admit asks Redis for what a reserved job needs before it is performed. It returns how the
// job ended if it cannot be performed. Until Redis answers the job waits in its record: it
// is never performed without its admission, and if the worker stops it goes back to the
// front of its queue.
func (s *slot) admit(ctx context.Context, in *runningJob) *finished {
	job := s.ended(in)
	given := *in.job // middleware may change that one, and the end of the job must see the same
	job.Given = &given
	record, _ := wire.ParseRecordBeginning(in.reserved.Guard)
	job.Token = policy.Token(in.reserved.Worker, record.RunAt)
	job.Worker, job.Guard = in.reserved.Worker, in.reserved.Guard
	in.admitted = &job
	needs, wrong := in.policies.Admit(in.admitted)
	if wrong != nil {
		return s.fail(context.WithoutCancel(ctx), in, wrong)
	}
	in.killID = in.policies.KillID(in.admitted)
	if len(needs) == 0 {
		return nil
	}
	s.setWaiting(in)
	result, ok := s.admission.Admit(ctx, store.Candidate{Worker: in.reserved.Worker, Guard: in.reserved.Guard, Needs: needs})
	if !ok || !result.Ours || result.Err != nil {
		s.setWaiting(nil)
	}
	switch {
	case !ok || !result.Ours: // if it is not ours, nothing is written
		return s.returned(in)
	case result.Err != nil:
		return s.fail(context.WithoutCancel(ctx), in, result.Err)
	}
	in.admitted.Admitted(result.Got)
	if !in.admitted.Refused() {
		return nil
	}
	s.setWaiting(nil)
	attrs := []any{"class", in.class, "queue", in.reserved.Queue, "worker", in.reserved.Worker}
	return s.decideOn(in, policy.Ending{Kind: policy.Refused}, time.Now(), attrs)
}

// setWaiting sets the job that waits for its admission, so that it can be killed.
func (s *slot) setWaiting(in *runningJob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = in
}
