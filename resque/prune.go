package resque

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

var (
	// ErrNoWorker is wrapped by errors about a worker that does not exist.
	ErrNoWorker = errors.New("resque: no such worker")
	// ErrWorkerAlive is wrapped by errors about a worker that is not pruned because it
	// is alive.
	ErrWorkerAlive = errors.New("resque: the worker is alive")
)

// PruneOptions are the options of [Client.Prune]. The zero value records a dead worker's
// job as Resque does.
type PruneOptions struct {
	// Handler is usually the [Mux] of the workers. Prune performs no jobs with it. It
	// applies the policies of the job's class, so that a crash counts as an attempt. It
	// calls the failure hooks of the class. It also finds the class of a job that is in a
	// wrapper, as Rails' jobs are. Without a Handler the job is not retried, no hooks are
	// called, and the error names the class of the wrapper.
	Handler Handler

	// Silent is how old the worker's heartbeat must be. A worker without a heartbeat
	// that can be read is then not pruned.
	//
	// Defaults to 0, which means that its heartbeat does not matter.
	Silent time.Duration

	// Heartbeat, if it is not nil, is the text of the heartbeat that the worker must still
	// have. Set it if the caller knows that the worker is dead: Prune then does not check
	// whether the worker is connected to Redis.
	Heartbeat *string

	// Force also prunes a worker that is alive. Its job fails as Resque::DirtyExit. A
	// live worker registers again and performs its job to the end, but the result is not
	// recorded.
	//
	// Ruby: Resque.remove_worker.
	Force bool

	// CrashLimit is how many workers may die within a day while they perform the same
	// job. With fewer, the job goes back to the front of its queue. A class with a retry
	// policy has the limit of that policy instead.
	//
	// Defaults to 0, which means that the job fails, as in Resque.
	CrashLimit int

	// FailureLists are the lists in Redis in which the failure is recorded.
	//
	// Defaults to [FailuresTogether], the list "failed".
	FailureLists FailureLists

	// FailureBackends are also given the failure, before it is recorded.
	FailureBackends []FailureBackend

	// Logger gets the errors of failure hooks and failure backends.
	//
	// Defaults to [slog.Default].
	Logger *slog.Logger
}

// Pruned is what Prune did with the job of a dead worker.
type Pruned struct {
	// Job is the job in the worker's record, nil if it had none. If it cannot be read,
	// it has no class.
	Job *Payload

	// Class is the job's class, or that of the job in its wrapper.
	Class string

	// Requeued reports whether the job went back to its queue. Otherwise it failed.
	Requeued bool

	// Retried reports whether the job failed and its retry policy performs it again.
	Retried bool

	// Due is when a retried job is due. It is the zero time if that is at once.
	Due time.Time
}

// Prune removes a dead worker and deals with the job in its record. Workers do so for the
// dead workers that they find, and the dashboard and the command when a person asks for
// it. Of several calls for the same worker, one prunes it. The others return an error that
// wraps ErrNoWorker. For a worker that is alive, the error wraps ErrWorkerAlive: a Go
// worker whose process has its connection to Redis open, unless Redis refuses to list
// connections; see also [PruneOptions].
//
// Ruby: Resque::Worker#prune_dead_workers, for one worker.
func (c *Client) Prune(ctx context.Context, id string, opts PruneOptions) (Pruned, error) {
	if err := opts.Validate(); err != nil {
		return Pruned{}, err
	}
	p := pruning{client: c, id: id, opts: opts}
	p.opts.Logger = cmp.Or(opts.Logger, slog.Default())
	p.opts.FailureLists = cmp.Or(opts.FailureLists, FailuresTogether)
	const tries = 5 // the record and the heartbeat may change
	for range tries {
		beat, err := p.look(ctx)
		if err != nil {
			return Pruned{}, err
		}
		pruned, ok, err := p.prune(ctx, beat)
		if err != nil || ok {
			return pruned, err
		}
	}
	return Pruned{}, fmt.Errorf("%w: its record or its heartbeat keeps changing: %q", ErrWorkerAlive, id)
}

// Validate returns all mistakes in o. Prune calls it.
func (o PruneOptions) Validate() error {
	var mistakes []error
	if o.Silent < 0 {
		mistakes = append(mistakes, fmt.Errorf("resque: PruneOptions.Silent is %v; it must not be negative", o.Silent))
	}
	if o.CrashLimit < 0 {
		mistakes = append(mistakes, fmt.Errorf("resque: PruneOptions.CrashLimit is %d; it must not be negative", o.CrashLimit))
	}
	if slices.Contains(o.FailureBackends, nil) {
		mistakes = append(mistakes, errors.New("resque: PruneOptions.FailureBackends has a nil backend"))
	}
	return errors.Join(mistakes...)
}

// pruning is one call of Prune.
type pruning struct {
	client *Client
	id     string
	opts   PruneOptions
}

// look returns the worker's heartbeat, or an error if the worker is alive or does not
// exist.
func (p *pruning) look(ctx context.Context) (beat string, err error) {
	states, now, err := p.client.store.WorkerStates(ctx, []string{p.id})
	if err != nil {
		return "", err
	}
	w := states[0]
	switch {
	case !w.Registered && w.Heartbeat == "" && len(w.Record.Text) == 0:
		return "", fmt.Errorf("%w: %q", ErrNoWorker, p.id)
	case p.opts.Heartbeat != nil && w.Heartbeat != *p.opts.Heartbeat:
		return "", fmt.Errorf("%w: it has sent a heartbeat: %q", ErrWorkerAlive, p.id)
	case p.opts.Heartbeat != nil || p.opts.Force:
		return w.Heartbeat, nil
	case p.opts.Silent > 0:
		heard := knownTime(w.Heartbeat)
		if heard.IsZero() {
			return "", fmt.Errorf("%w, or sends no heartbeats: %q", ErrWorkerAlive, p.id)
		}
		if silent := now.Sub(heard); silent <= p.opts.Silent {
			return "", fmt.Errorf("%w: its last heartbeat was %v ago: %q", ErrWorkerAlive, max(silent, 0).Round(time.Second), p.id)
		}
	}
	return w.Heartbeat, p.connected(ctx)
}

// connected returns an error if the worker is a Go worker whose process is connected.
func (p *pruning) connected(ctx context.Context) error {
	id, _ := wire.ParseWorkerID(p.id)
	if !id.Go {
		return nil
	}
	tokens, known, err := p.client.store.Present(ctx, id.Process())
	if err == nil && known && len(tokens) > 0 {
		err = fmt.Errorf("%w: its process is connected to Redis: %q", ErrWorkerAlive, p.id)
	}
	return err
}

// prune prunes the worker. ok is false if its record or its heartbeat has changed.
func (p *pruning) prune(ctx context.Context, beat string) (pruned Pruned, ok bool, err error) {
	record, err := p.client.store.Record(ctx, p.id)
	if err != nil {
		return pruned, false, err
	}
	if len(record.Text) == 0 {
		done, _, err := p.client.store.Prune(ctx, record, beat, store.Outcome{})
		return pruned, done == store.PrunedNow, err
	}
	job, inside := p.job(record)
	pruned.Job, pruned.Class = job, inside.Class
	policies := PoliciesOf(p.opts.Handler, inside.Class)
	if record.Queue == "" { // there is no queue for another attempt
		policies = nil
	}
	if !policies.Has(policy.Retry) {
		effects, err := p.requeue(ctx, record)
		if err != nil {
			return pruned, false, err
		}
		if pruned.Requeued = effects != nil; pruned.Requeued {
			more, err := p.putBack(ctx, record, inside, policies)
			if err != nil {
				return Pruned{}, false, err
			}
			done, reply, err := p.client.store.Prune(ctx, record, beat, store.Outcome{Effects: append(more, effects...)})
			p.unpark(ctx, reply.Unparked)
			return pruned, done == store.PrunedNow, err
		}
	}
	cause := p.cause(inside.Class)
	ending, done, err := p.fail(ctx, record, beat, inside, policies, cause)
	if err != nil || done != store.PrunedNow {
		return Pruned{}, false, err
	}
	if again := ending.Again; again != nil {
		pruned.Retried, pruned.Due = true, again.Due
	}
	if job.Class != "" && ending.Failed() {
		p.callHooks(ctx, job, cause)
	}
	return pruned, true, nil
}

// job returns the job in a record and, if it is wrapped, the job inside. An unreadable
// job has no class.
func (p *pruning) job(r store.Record) (job, inside *Payload) {
	job, err := ParsePayload(r.Queue, r.Raw)
	if err != nil {
		job = &Payload{Queue: r.Queue, Raw: r.Payload, Worker: p.id}
		return job, job
	}
	job.Worker = p.id
	if inside, err := Unwrap(p.opts.Handler, job); err == nil {
		return job, inside
	}
	return job, job
}

// crashMemory is how long the crashes of a job are counted.
const crashMemory = 24 * time.Hour

// requeue returns the effects that put the job back into its queue, nil if it fails.
func (p *pruning) requeue(ctx context.Context, r store.Record) ([]store.Effect, error) {
	if p.opts.CrashLimit == 0 || r.Queue == "" {
		return nil, nil
	}
	to := p.client.store
	crashes, err := to.Crashes(ctx, r.Raw)
	if err != nil || crashes+1 >= p.opts.CrashLimit {
		return nil, err
	}
	return append(to.Crashed(r.Raw, crashMemory), to.Requeue(r.Queue, r.Raw)...), nil
}

// cause returns the error that the job fails with.
//
// Ruby: Resque::Worker#unregister_worker.
func (p *pruning) cause(class string) error {
	if p.opts.Force {
		return &DirtyExitError{Message: "Job still being processed"}
	}
	return &DeadWorkerError{Worker: p.id, Class: class}
}

// fail prunes the worker, and fails its job as its policies decide. They decide again each
// time that another process has changed a value that they have read.
func (p *pruning) fail(ctx context.Context, r store.Record, beat string, inside *Payload, policies policy.Set, cause error) (e policy.Ending, done store.Pruned, err error) {
	to := p.client.store
	f := NewFailure(&Payload{Class: inside.Class, Args: inside.Args, Queue: r.Queue, Raw: r.Payload, Worker: p.id}, cause, time.Now())
	job := p.ended(ctx, r, inside)
	if err := p.lookUp(ctx, r, policies, &job); err != nil {
		return e, store.NotPruned, err
	}
	verdict, wrong := Judge(p.opts.Handler, inside.Class, r.Raw, cause)
	p.logWrong(inside, wrong)
	lists := p.opts.FailureLists
	saved := false
	const tries = 100 // each change means that another job has made progress
	for range tries {
		e, broken := policies.End(&job, policy.Ending{
			Kind: policy.Crashed, Err: cause, Verdict: verdict, Failure: func() []byte { return f.AppendJSON(nil) },
		})
		p.logWrong(inside, broken)
		p.logWrong(inside, policy.Call(ctx, e.Before))
		if e.Fail && !saved {
			saved = true
			SaveFailure(ctx, p.opts.Logger, p.opts.FailureBackends, f)
		}
		effects := e.Written(to, r.Queue, policy.Lists{Together: lists.Has(FailuresTogether), ByQueue: lists.Has(FailuresByQueue)})
		done, reply, err := to.Prune(ctx, r, beat, store.Outcome{Expect: e.Expect, Effects: effects})
		p.unpark(ctx, reply.Unparked)
		if done != store.ValueChanged {
			if err == nil && done == store.PrunedNow {
				p.logWrong(inside, policy.Call(ctx, e.After))
			}
			return e, done, err
		}
		job.Note(e.Expect, reply.Values)
	}
	return e, store.NotPruned, fmt.Errorf("resque: pruning worker %q: the attempts of its job keep changing", p.id)
}

// ended returns the job of a record, for policies.
func (p *pruning) ended(ctx context.Context, r store.Record, inside *Payload) policy.Job {
	id, _ := wire.ParseWorkerID(p.id)
	to := p.client.store
	return policy.Job{
		Class: inside.Class, Queue: r.Queue, Args: inside.Args, Payload: r.Raw, Given: inside, Counted: !id.Go,
		Age: p.age(ctx, r), Store: to, Now: func() time.Time { return to.About(ctx) },
	}
}

// putBack returns what the policies write when the job goes back to its queue.
func (p *pruning) putBack(ctx context.Context, r store.Record, inside *Payload, policies policy.Set) ([]store.Effect, error) {
	if len(policies) == 0 {
		return nil, nil
	}
	job := p.ended(ctx, r, inside)
	if err := p.lookUp(ctx, r, policies, &job); err != nil {
		return nil, err
	}
	e, wrong := policies.End(&job, policy.Ending{Kind: policy.Returned})
	p.logWrong(inside, wrong)
	return e.Effects, nil
}

// lookUp notes in job what its needs would be given now, if the class has any. It takes
// nothing.
func (p *pruning) lookUp(ctx context.Context, r store.Record, policies policy.Set, job *policy.Job) error {
	if !policies.Admits() {
		return nil
	}
	job.Token = policy.Token(r.Worker, r.RunAt)
	job.Worker, job.Guard = r.Worker, r.Guard()
	needs, wrong := policies.Admit(job)
	p.logWrong(&Payload{Class: job.Class, Queue: job.Queue}, wrong)
	if len(needs) == 0 {
		return nil
	}
	got, err := p.client.store.Look(ctx, store.Candidate{Worker: job.Worker, Guard: job.Guard, Needs: needs})
	if err == nil {
		job.Admitted(got)
	}
	return err
}

// unpark moves a job that waits for each of the limits to the front of its queue. If that
// fails, the jobs wait until they are due.
func (p *pruning) unpark(ctx context.Context, limits []string) {
	for _, limit := range limits {
		if _, err := p.client.store.Unpark(ctx, limit); err != nil {
			p.opts.Logger.Warn("a job waits longer for a limit than it must", append(LogAttrs(err), "limit", limit)...)
			return
		}
	}
}

// age returns how long ago the worker reserved its job, 0 if that is not known.
func (p *pruning) age(ctx context.Context, r store.Record) time.Duration {
	began := knownTime(r.RunAt)
	if began.IsZero() {
		return 0
	}
	return max(p.client.store.About(ctx).Sub(began), 0)
}

func (p *pruning) logWrong(job *Payload, wrong error) {
	if wrong != nil {
		p.opts.Logger.Error("a policy failed", "class", job.Class, "queue", job.Queue, "worker", p.id, "err", wrong)
	}
}

// callHooks calls the failure hooks of the job's class.
func (p *pruning) callHooks(ctx context.Context, job *Payload, cause error) {
	err := FailureHooks(WithPayload(ctx, job), p.opts.Handler, job, cause)
	if err != cause { //nolint:errorlint // the same error means that no hook failed
		p.opts.Logger.Error("a failure hook failed", "class", job.Class, "queue", job.Queue, "worker", p.id, "err", err)
	}
}
