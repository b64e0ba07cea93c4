package worker

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// needs returns what a reserved job needs before it is performed.
func (s *slot) needs(in *runningJob) (needs []store.Need, wrong error) {
	job := s.ended(in)
	given := *in.job // middleware may change that one, and the end of the job must see the same
	job.Given = &given
	record, _ := wire.ParseRecordBeginning(in.reserved.Guard)
	job.Token = policy.Token(in.reserved.Worker, record.RunAt)
	job.Worker, job.Guard = in.reserved.Worker, in.reserved.Guard
	in.admitted = &job
	return in.policies.Admit(in.admitted)
}

// admit asks Redis for what a reserved job needs before it is performed. It returns how the
// job ended if it cannot be performed. Until Redis answers the job waits in its record: it
// is never performed without its admission, and if the worker stops it goes back to the
// front of its queue.
func (s *slot) admit(ctx context.Context, in *runningJob) *finished {
	if in.admission != nil {
		return s.admittedBy(ctx, in, *in.admission)
	}
	needs, wrong := s.needs(in)
	if wrong != nil {
		return s.fail(context.WithoutCancel(ctx), in, wrong)
	}
	in.killID = in.policies.KillID(in.admitted)
	if len(needs) == 0 {
		return nil
	}
	s.setWaiting(in)
	result, ok := s.admission.Admit(ctx, store.Candidate{Worker: in.reserved.Worker, Guard: in.reserved.Guard, Needs: needs})
	if !ok {
		s.setWaiting(nil)
		return s.returned(in)
	}
	return s.admittedBy(ctx, in, result)
}

// admittedBy returns how a job ended if its admission does not let it be performed.
func (s *slot) admittedBy(ctx context.Context, in *runningJob, result store.Admission) *finished {
	if !result.Ours || result.Err != nil {
		s.setWaiting(nil)
	}
	switch {
	case !result.Ours: // nothing is written
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

// admitter admits jobs that were reserved together, in one round trip. What it leaves out, and
// what Redis does not answer, slot.admit does for each job. It is safe for concurrent use.
type admitter struct {
	*slot // of no worker

	used atomic.Bool // there was a job that must be admitted

	mu   sync.Mutex
	jobs map[string]*runningJob // that are not begun, by worker
}

var _ exchange.Admitter = (*admitter)(nil)

// Needs implements exchange.Admitter. A worker without such classes parses no job here.
func (a *admitter) Needs(r store.Reserved) bool {
	if !a.used.Load() {
		return false
	}
	in, err := a.read(r)
	if err != nil {
		return false // reserved reads it again, and reports it
	}
	a.mu.Lock()
	a.jobs[r.Worker] = in
	a.mu.Unlock()
	return in.policies.Admits() && !in.isMember()
}

// Admit implements exchange.Admitter. A job that can be killed is left out, because its slot
// must know that it waits.
func (a *admitter) Admit(ctx context.Context, reserved []store.Reserved) {
	var jobs []*runningJob
	var candidates []store.Candidate
	for _, r := range reserved {
		in := a.job(r)
		if in == nil {
			continue
		}
		needs, wrong := a.needs(in)
		if wrong == nil && len(needs) > 0 && in.policies.KillID(in.admitted) == "" {
			jobs = append(jobs, in)
			candidates = append(candidates, store.Candidate{Worker: r.Worker, Guard: r.Guard, Needs: needs})
		}
	}
	if len(candidates) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clockTimeout)
	defer cancel()
	results, err := a.outcomes.store.Admit(ctx, candidates)
	if err != nil {
		return
	}
	for i := range results {
		if !store.Passes(results[i].Err) {
			jobs[i].admission = &results[i]
		}
	}
}

// Return implements exchange.Admitter.
func (a *admitter) Return(r store.Reserved) exchange.Finished {
	in := a.take(r)
	if in == nil || in.admitted == nil {
		return exchange.Return(a.outcomes.store, r)
	}
	return a.returned(in).Finished
}

// job returns a job that was reserved and not begun, or nil.
func (a *admitter) job(r store.Reserved) *runningJob {
	a.mu.Lock()
	defer a.mu.Unlock()
	in := a.jobs[r.Worker]
	if in == nil || !bytes.Equal(in.reserved.Guard, r.Guard) {
		return nil
	}
	return in
}

// take is job for one that begins or is returned.
func (a *admitter) take(r store.Reserved) *runningJob {
	if a == nil || !a.used.Load() {
		return nil
	}
	in := a.job(r)
	if in != nil {
		a.mu.Lock()
		delete(a.jobs, r.Worker)
		a.mu.Unlock()
	}
	return in
}
