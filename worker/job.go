package worker

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/fork"
	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// slot performs one job after the other. To Resque it is a worker, though the
// record that a job is in may be another slot's: see package exchange.
//
// This file follows a job from its reserve to its end: next, reserved, begin,
// perform, take, fail, finish.
type slot struct {
	id        string
	handler   resque.Handler
	performer performer
	exchange  exchanger
	admission admission
	admitter  *admitter
	noteBegun func(*runningJob)
	outcomes  outcomes
	batches   *batches
	metrics   *metrics
	timeouts  timeouts
	cfg       Config
	log       *slog.Logger
	changed   pulse
	goOn      func(last func(context.Context) *finished) // continues in another goroutine; last returns how this one's job ended

	mu      sync.Mutex
	running *runningJob // nil while the slot is free
	waiting *runningJob // waits for its admission; nil if none does
}

// exchanger finishes the last job and reserves the next one.
type exchanger interface {
	Next(ctx context.Context, worker string, last *exchange.Finished) (job store.Reserved, ok bool)
}

// admission gives jobs what they need before they are performed.
type admission interface {
	Admit(ctx context.Context, job store.Candidate) (result store.Admission, ok bool)
}

// performer performs a slot's jobs, one at a time, in this process or in a child.
type performer interface {
	// perform performs the job and returns its error. hooked reports whether its
	// failure hooks were called. They are not called if in.returns reports that the
	// job, which was told to end, returns to its queue. If kills reports true,
	// closing in.killed kills the job.
	perform(ctx context.Context, in *runningJob) (hooked bool, err error)
	kills() bool

	// pid returns the process id of the child that performs the job, or 0. Any
	// goroutine may call it.
	pid() int

	// close releases the performer's resources.
	close()
}

// inProcess performs jobs in the slot's own goroutine.
type inProcess struct{ handler resque.Handler }

func (p inProcess) perform(ctx context.Context, in *runningJob) (hooked bool, err error) {
	return false, resque.Perform(ctx, p.handler, in.job)
}

func (inProcess) kills() bool { return false }
func (inProcess) pid() int    { return 0 }
func (inProcess) close()      {}

// runningJob is a job that a slot performs. The slot takes it when the performer
// has returned, the stopper when it stops waiting. The one that takes it finishes
// it.
type runningJob struct {
	reserved store.Reserved
	job      *resque.Payload
	class    string // of job; middleware may change that one
	args     []json.RawMessage
	policies policy.Set
	skipped  bool        // it is not performed, because its batch is canceled
	admitted *policy.Job // what it was given; nil if it was not admitted
	// admission is what Redis has answered for it together with others; nil if it was not asked
	admission *store.Admission
	killID    string // by which it can be killed; empty if it cannot
	notes     *policy.Notes
	started   time.Time
	quiet     bool // lines of the level Info are not logged
	slot      *slot
	context   jobContext
	overdue   *time.Timer // reports that it still runs after its time limit; nil if it has none
	result    finished    // how it ended, unless policies decide that
	killed    chan struct{}
	kill      func()          // closes killed, which ends its child at once; nil without a child
	verdict   *policy.Verdict // on its error, when it was judged

	// The slot's mu guards these while the job is in the slot.
	stopping bool        // it was told to end because the worker stops
	stopped  error       // why it was told to end before the worker stops: it was canceled or killed
	lost     bool        // it was told to end because its record is gone
	alarm    *time.Timer // reports that it still runs after it was told to end
}

func (r *run) newSlot(id string, children *fork.Pool) *slot {
	cfg := r.cfg
	s := &slot{
		id: id, handler: r.handler, exchange: r.exchange, admission: r.admissions, admitter: r.admitter, noteBegun: r.stops.noteBegun, cfg: cfg, log: cfg.Logger, changed: r.changed,
		outcomes:  outcomes{r.backend, cfg.FailureLists},
		batches:   r.batches,
		metrics:   r.metrics,
		performer: inProcess{r.handler},
		timeouts:  timeouts{handler: r.handler, timeout: cfg.Timeout, stuck: &r.stuck, log: cfg.Logger},
	}
	if children != nil {
		s.performer = &inChild{children: children.Slot(), timeouts: s.timeouts, beforeFork: cfg.Hooks.BeforeFork}
	}
	return s
}

// start starts the slot's goroutine, which works until ctx ends; slots counts it.
func (s *slot) start(ctx context.Context, slots *sync.WaitGroup) {
	slots.Add(1)
	s.goOn = func(last func(context.Context) *finished) {
		go func() { s.work(ctx, slots, last(context.WithoutCancel(ctx))) }()
	}
	go s.work(ctx, slots, nil)
}

// work finishes the last job, reserves the next one and performs it, until the
// worker stops or the slot continues in another goroutine.
//
// Ruby: Resque::Worker#work_one_job.
func (s *slot) work(ctx context.Context, slots *sync.WaitGroup, last *finished) {
	values := context.WithoutCancel(ctx) // made once for all jobs
	for {
		job, ok := s.next(ctx, last)
		if !ok {
			s.performer.close()
			slots.Done()
			return
		}
		if last, ok = s.reserved(ctx, values, job); !ok {
			return
		}
	}
}

// next finishes the last job and reserves the next one, through the exchange.
func (s *slot) next(ctx context.Context, last *finished) (store.Reserved, bool) {
	if last == nil {
		return s.exchange.Next(ctx, s.id, nil)
	}
	if f := last.failure; f != nil {
		resque.SaveFailure(ctx, s.cfg.Logger, s.cfg.FailureBackends, *f)
	}
	if last.before != nil {
		last.before(ctx)
	}
	return s.exchange.Next(ctx, s.id, &last.Finished)
}

// reserved performs a reserved job and returns how it ended. It uses Redis only if the
// job must be admitted, and to see whether the batch of a member is canceled. values is
// ctx without its end. ok is false if the stopper has taken the job.
//
// Ruby: Resque::Worker#perform.
func (s *slot) reserved(ctx, values context.Context, r store.Reserved) (last *finished, ok bool) {
	in := s.admitter.take(r)
	if in == nil {
		var err error
		if in, err = s.read(r); err != nil {
			return s.finish(in, err), true
		}
	}
	if in.isMember() && s.batches.isCanceled(ctx, r.Payload) {
		return s.skip(in), true
	}
	if in.policies.Admits() {
		s.admitter.used.Store(true)
		if last = s.admit(ctx, in); last != nil {
			return last, true
		}
	}
	if !s.begin(ctx, values, in) {
		return s.returned(in), true
	}
	return s.perform(in) //nolint:contextcheck // the job's context is part of it
}

// read parses a reserved job. If err is not nil, in has only what its end needs.
func (s *slot) read(r store.Reserved) (in *runningJob, err error) {
	job, err := resque.ParsePayload(r.Queue, r.Payload)
	if err != nil {
		job = &resque.Payload{Queue: r.Queue, Raw: r.Payload, Worker: r.Worker}
		return &runningJob{reserved: r, job: job, started: time.Now()}, err
	}
	job.Worker = r.Worker
	outer := job
	if job, err = resque.Unwrap(s.handler, outer); err != nil {
		return &runningJob{reserved: r, job: outer, started: time.Now()}, err
	}
	in = &runningJob{reserved: r, job: job, class: job.Class, args: job.Args, started: time.Now()}
	if in.policies = resque.PoliciesOf(s.handler, in.class); in.policies != nil {
		job.Args = slices.Clone(job.Args) // in.args stays as it is if middleware changes an element
	}
	return in, nil
}

// begin makes a reserved job the slot's running job. The context of the job has values.
// begin returns false if the worker has begun to stop, because the stopper may have looked
// for running jobs already and would miss this one.
func (s *slot) begin(ctx, values context.Context, in *runningJob) bool {
	in.slot, in.started = s, time.Now()
	in.quiet = !s.log.Enabled(ctx, slog.LevelInfo)
	if in.policies != nil {
		values = resque.WithStopping(values, ctx.Done())
	}
	if in.killID != "" { // its class has a status
		in.notes = &policy.Notes{}
		values = policy.WithNotes(values, in.notes)
	}
	in.context.values, in.context.job = values, in.job //nolint:fatcontext // values has at most two more values than those that were given
	in.overdue = s.timeouts.watch(&in.context)
	if s.performer.kills() {
		in.killed = make(chan struct{})
		in.kill = sync.OnceFunc(func() { close(in.killed) })
	}
	if s.log.Enabled(ctx, slog.LevelDebug) { // so that its arguments cost nothing otherwise
		s.log.Debug("job started", "class", in.class, "queue", in.job.Queue, "worker", in.reserved.Worker)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		s.waiting = nil
		in.context.end(nil)
		s.timeouts.stopAlarm(in.overdue)
		return false
	}
	s.running, s.waiting = in, nil
	if in.stopped != nil {
		in.context.end(in.stopped)
	}
	s.changed.beat()
	s.noteBegun(in)
	return true
}

// perform performs the running job. ok is false if the stopper has taken it.
func (s *slot) perform(in *runningJob) (last *finished, ok bool) {
	ctx := &in.context
	returned := false
	defer func() {
		if !returned && s.take(in) { // runtime.Goexit ends this goroutine, not the slot
			s.goOn(func(ctx context.Context) *finished { return s.fail(ctx, in, errGoexit) })
		}
	}()
	hooked, err := s.performer.perform(ctx, in)
	returned = true
	unknown, err := ended(ctx, in.job.Class, err)
	switch {
	case !s.take(in):
		return nil, false
	case err == fork.ErrNotBegun: //nolint:errorlint // the performer returns it unwrapped, and methods of users' errors may panic
		return s.returned(in), true
	case unknown && s.cfg.UnknownClass == PutBackUnknown:
		s.log.Info("job put back: its class is unknown here", "class", in.job.Class, "queue", in.job.Queue, "worker", in.reserved.Worker)
		return s.outcomes.putBack(in.reserved), true
	case err == nil || hooked:
		return s.finish(in, err), true
	default:
		return s.fail(context.WithoutCancel(ctx), in, err), true
	}
}

// ended returns the error of a job. If the error is that of the job's context,
// reason is the cause of the context's end. unknown reports whether the job's
// class has no handler. Methods of err, a user's error, may panic.
func ended(ctx context.Context, class string, err error) (unknown bool, reason error) {
	defer func() {
		if v := recover(); v != nil {
			reason = &resque.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if err == nil {
		return false, nil
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return false, context.Cause(ctx)
	}
	if errors.Is(err, resque.ErrDontPerform) {
		if expired := (*resque.ExpiredError)(nil); errors.As(err, &expired) {
			return false, expired
		}
		return false, resque.ErrDontPerform
	}
	var missing *resque.UnknownClassError
	return errors.As(err, &missing) && missing.Class == class, err
}

// take takes the running job out of the slot. It returns false if the job was
// already taken.
func (s *slot) take(in *runningJob) bool {
	s.mu.Lock()
	taken := s.running == in
	if taken {
		s.running = nil
		s.changed.beat()
	}
	alarm := in.alarm
	s.mu.Unlock()
	in.context.end(nil)
	s.timeouts.stopAlarm(in.overdue)
	s.timeouts.stopAlarm(alarm)
	return taken
}

// errGoexit is the error of a handler that ended its goroutine, as t.FailNow does,
// instead of returning.
var errGoexit = errors.New("the handler called runtime.Goexit")

// errStillProcessed is the error of a job in this process that did not return when
// its context ended.
//
// Ruby: Resque::Worker#unregister_worker.
var errStillProcessed = &resque.DirtyExitError{Message: "Job still being processed"}

// fail calls the job's failure hooks, if it failed, and finishes it. The hooks get
// ctx, which must not be the job's context, because that may have ended.
func (s *slot) fail(ctx context.Context, in *runningJob, err error) *finished {
	if s.isLost(in) || s.isReturned(in, err) || isDontPerform(err) {
		return s.finish(in, err)
	}
	if v := s.judge(in, err); v.Snooze || v.Handled || v.Return {
		return s.finish(in, err)
	}
	return s.finish(in, resque.FailureHooks(resque.WithPayload(ctx, in.job), s.handler, in.job, err))
}

// finish chooses a job's outcome and logs it. If policies or the error decide about
// another attempt, the outcome is logged when it is written.
func (s *slot) finish(in *runningJob, err error) *finished {
	if err != nil && s.isLost(in) {
		return s.counted(in) // is not written
	}
	if err == nil && in.quiet && s.metrics == nil {
		return s.done(in)
	}
	now := time.Now()
	if err == nil {
		s.metrics.note(in.class, now.Sub(in.started), false)
		if in.quiet {
			return s.done(in)
		}
	}
	attrs := []any{"class", in.job.Class, "queue", in.job.Queue, "worker", in.reserved.Worker, "duration", now.Sub(in.started)}
	switch {
	case err == nil:
		s.log.Info("job done", attrs...)
		return s.done(in)
	case isDontPerform(err):
		if err != resque.ErrDontPerform { //nolint:errorlint // another error has a reason
			attrs = append(attrs, "err", err)
		}
		s.log.Info("job not performed: a hook refused it", attrs...)
		return s.processed(in, policy.Vetoed)
	case s.isReturned(in, err):
		s.log.Info("job put back: the worker is stopping", attrs...)
		return s.returned(in)
	case s.judge(in, err).Return:
		s.log.Info("job put back: it has stopped because the worker stops", attrs...)
		return s.returned(in)
	}
	if !snoozes(err) {
		s.metrics.note(in.class, now.Sub(in.started), true)
	}
	if in.policies != nil || snoozes(err) || in.isMember() {
		return s.decide(in, err, now, attrs)
	}
	s.log.Error("job failed", append(attrs, "err", err)...)
	failure := resque.NewFailure(in.job, err, now)
	if isDirtyExit(err) {
		return s.outcomes.cutOff(in.reserved, failure)
	}
	return s.outcomes.failed(in.reserved, failure)
}

// done returns the outcome of a job without an error.
func (s *slot) done(in *runningJob) *finished { return s.processed(in, policy.Done) }

// processed returns the outcome of a job that ended and did not fail.
func (s *slot) processed(in *runningJob, kind policy.Kind) *finished {
	return s.with(in, kind, s.counted(in))
}

// counted returns the outcome of a job that only counts as processed.
//
// Ruby: Resque::Worker#done_working.
func (s *slot) counted(in *runningJob) *finished {
	in.result = finished{Finished: exchange.Finish(in.reserved, s.outcomes.store.Processed(in.reserved.Worker))}
	return &in.result
}

// returned returns the outcome of a job that goes back to the front of its queue.
func (s *slot) returned(in *runningJob) *finished {
	return s.with(in, policy.Returned, s.outcomes.returned(in.reserved))
}

// isReturned reports whether a job that ended with err because the worker stops
// returns to its queue.
func (s *slot) isReturned(in *runningJob, err error) bool {
	return in.stopping && s.requeues(in) && (isTerm(err) || isDirtyExit(err))
}

// returns reports whether the running job returns to its queue if it ends now because
// it was told to.
func (in *runningJob) returns() bool {
	in.slot.mu.Lock()
	defer in.slot.mu.Unlock()
	return in.stopping && in.slot.requeues(in)
}

// requeues reports whether a job that ends because the worker stops returns to its
// queue. A planned stop is not an attempt of a job.
func (s *slot) requeues(in *runningJob) bool {
	return s.cfg.OnShutdown == RequeueInterrupted || in.policies.Interrupted()
}

// snoozes reports whether the error of a job, perhaps in a child, is that of
// resque.Snooze.
func snoozes(err error) bool {
	if child, ok := err.(*childError); ok { //nolint:errorlint // what a child reports is not wrapped
		return child.report.Snooze
	}
	return resque.IsSnooze(err)
}

// Methods of users' errors may panic; resque.NewFailure also recovers from that.

func isTerm(err error) bool { return safely(func() bool { return errors.Is(err, resque.ErrTerm) }) }

func isDontPerform(err error) bool {
	return safely(func() bool { return errors.Is(err, resque.ErrDontPerform) })
}

func isDirtyExit(err error) bool {
	var dirty *resque.DirtyExitError
	return safely(func() bool { return errors.As(err, &dirty) })
}

func safely(is func() bool) (yes bool) {
	defer func() { _ = recover() }()
	return is()
}
