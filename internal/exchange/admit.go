package exchange

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"sync"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
)

// Admitter admits jobs that were reserved by one call, before a goroutine gets them, so that
// many jobs share a round trip. A job that was not admitted is given to a goroutine also.
type Admitter interface {
	// Needs reports whether a job must be admitted. It does not block.
	Needs(job store.Reserved) bool
	// Admit admits jobs. It may block.
	Admit(ctx context.Context, jobs []store.Reserved)
	// Return is like the function Return, for a job that may have been admitted. It does not
	// block.
	Return(job store.Reserved) Finished
}

// needy returns the workers of the jobs that must be admitted.
func (x *Exchange) needy(jobs []store.Reserved) map[string]bool {
	if x.cfg.Admitter == nil {
		return nil
	}
	var workers map[string]bool
	for _, job := range jobs {
		if x.cfg.Admitter.Needs(job) {
			if workers == nil {
				workers = make(map[string]bool, len(jobs))
			}
			workers[job.Worker] = true
		}
	}
	return workers
}

// admit admits jobs, which are ready then.
func (x *Exchange) admit(ctx context.Context, jobs []readyJob) {
	reserved := make([]store.Reserved, len(jobs))
	for i, r := range jobs {
		reserved[i] = r.job
	}
	if ctx.Err() == nil { // otherwise they are returned
		x.cfg.Admitter.Admit(ctx, reserved)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ready = append(x.ready, jobs...)
	x.calling, x.admitting = false, false
}

// Admissions gives reserved jobs what they need before they are performed. There is at
// most one call to Redis at a time, which serves all jobs that wait at that moment. It is
// safe for concurrent use.
type Admissions struct {
	backend admitter
	redis   *Outage
	attrs   Attrs
	log     *slog.Logger

	mu      sync.Mutex
	calling bool
	waiting []*candidate
}

// admitter is what Admissions needs of the store.
type admitter interface {
	Admit(ctx context.Context, jobs []store.Candidate) ([]store.Admission, error)
}

// NewAdmissions returns an Admissions. It reports to redis as New does.
func NewAdmissions(backend admitter, redis *Outage, attrs Attrs, log *slog.Logger) *Admissions {
	return &Admissions{backend: backend, redis: redis, attrs: attrs, log: log}
}

// candidate is a job in Admit.
type candidate struct {
	job    store.Candidate
	result store.Admission
	told   chan bool // true means make the next call, false that result is set
	left   bool      // its goroutine no longer waits; guarded by Admissions.mu
}

// Admit returns what a job is given. It waits until Redis answers. If Redis refuses a need
// with an error that may pass, such as that it is read only, it asks again. ok is false if
// ctx ends first: then it is not known what the job was given.
func (a *Admissions) Admit(ctx context.Context, job store.Candidate) (result store.Admission, ok bool) {
	var wait backoff.Backoff
	for refused := false; ; refused = true {
		result, ok = a.ask(ctx, job)
		if !ok || result.Err == nil || !store.Passes(result.Err) {
			if ok && refused && result.Err == nil {
				a.log.Info("redis admitted a job", "worker", job.Worker)
			}
			return result, ok
		}
		if !refused {
			a.log.Error("redis refused to admit a job, retrying", append(a.attrs.of(result.Err), "worker", job.Worker)...)
		}
		if !wait.Sleep(ctx) {
			return store.Admission{}, false
		}
	}
}

// ask waits for the next call, or makes it.
func (a *Admissions) ask(ctx context.Context, job store.Candidate) (result store.Admission, ok bool) {
	c := &candidate{job: job, told: make(chan bool, 1)}
	if !a.arrive(c) {
		select {
		case lead := <-c.told:
			if !lead {
				return c.result, true
			}
		case <-ctx.Done():
			a.leave(c)
			return result, false
		}
	}
	defer a.pass()
	var wait backoff.Backoff
	for ctx.Err() == nil {
		runtime.Gosched() // jobs that were reserved together wait together
		batch := a.gather()
		results, err := a.call(ctx, batch)
		if err == nil {
			a.redis.Ended()
			return a.deliver(batch, results, c), true
		}
		a.redis.Began(err)
		a.putBack(batch)
		wait.Sleep(ctx)
	}
	a.remove(c)
	return result, false
}

// arrive adds a candidate to the next call. It reports whether its goroutine must make
// that call.
func (a *Admissions) arrive(c *candidate) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, c)
	lead := !a.calling
	a.calling = true
	return lead
}

// leave removes a candidate whose context has ended. If it was to make the next call,
// another one makes it.
func (a *Admissions) leave(c *candidate) {
	a.remove(c)
	select {
	case lead := <-c.told:
		if lead {
			a.pass()
		}
	default:
	}
}

// remove removes a candidate that waits for the next call. After that it gets no message.
func (a *Admissions) remove(c *candidate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.left = true
	a.waiting = slices.DeleteFunc(a.waiting, func(other *candidate) bool { return other == c })
}

// pass lets another candidate make the next call, if one waits.
func (a *Admissions) pass() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.calling = len(a.waiting) > 0; a.calling {
		a.waiting[0].told <- true
	}
}

// gather returns the candidates of the next call.
func (a *Admissions) gather() []*candidate {
	a.mu.Lock()
	defer a.mu.Unlock()
	batch := a.waiting
	a.waiting = nil
	return batch
}

// putBack adds the candidates of a call that failed to the next one.
func (a *Admissions) putBack(batch []*candidate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	batch = slices.DeleteFunc(batch, func(c *candidate) bool { return c.left })
	a.waiting = append(batch, a.waiting...)
}

// call makes one call.
func (a *Admissions) call(ctx context.Context, batch []*candidate) ([]store.Admission, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	jobs := make([]store.Candidate, len(batch))
	for i, c := range batch {
		jobs[i] = c.job
	}
	return a.backend.Admit(ctx, jobs)
}

// deliver gives the results to the candidates and returns that of own, which waits for no
// message.
func (a *Admissions) deliver(batch []*candidate, results []store.Admission, own *candidate) store.Admission {
	for i, c := range batch {
		if c.result = results[i]; c != own {
			c.told <- false
		}
	}
	return own.result
}
