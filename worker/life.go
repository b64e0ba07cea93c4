package worker

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/fork"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// slot performs one job after the other. To Resque it is a worker, though the
// record that a job is in may be another slot's: see exchange.
type slot struct {
	id        string
	handler   resque.Handler
	performer performer
	exchange  *exchange
	outcomes  outcomes
	limits    limits
	cfg       Config
	log       *slog.Logger
	changed   pulse
	goOn      func(last func(context.Context) *ending) // lives on in another goroutine; last says how the job in hand ended

	mu  sync.Mutex
	run *run // the job in hand
}

func newSlot(id string, w *Worker, x *exchange, children *fork.Pool) *slot {
	s := &slot{
		id: id, handler: w.handler, exchange: x, cfg: w.cfg, log: w.cfg.Logger, changed: x.pulse,
		outcomes:  outcomes{w.backend, w.cfg.FailureLists},
		performer: inProcess{w.handler},
		limits:    limits{handler: w.handler, timeout: w.cfg.Timeout, stuck: &w.stuck, log: w.cfg.Logger},
	}
	if children != nil {
		s.performer = &inChild{children: children.Slot(), limits: s.limits, beforeFork: w.cfg.Hooks.BeforeFork}
	}
	return s
}

// start lets the slot live until ctx ends; slots counts it.
func (s *slot) start(ctx context.Context, slots *sync.WaitGroup) {
	slots.Add(1)
	s.goOn = func(last func(context.Context) *ending) {
		go func() { s.live(ctx, slots, last(context.WithoutCancel(ctx))) }()
	}
	go s.live(ctx, slots, nil)
}

// live is the life of a job, over and over: a turn at the exchange hands in how
// the last job ended and brings the next one, which is then performed. It ends
// when the exchange has no more jobs to give, or goes on in another goroutine.
//
// Ruby: Resque::Worker#work_one_job.
func (s *slot) live(ctx context.Context, slots *sync.WaitGroup, last *ending) {
	for {
		reserved, ok := s.exchange.turn(ctx, s.id, last)
		if !ok {
			s.performer.close()
			slots.Done()
			return
		}
		if last, ok = s.perform(ctx, reserved); !ok {
			return
		}
	}
}

// perform performs a job and says how it ended. It touches no Redis. ok is false
// when somebody has given the job up meanwhile and says it instead.
//
// Ruby: Resque::Worker#perform.
func (s *slot) perform(ctx context.Context, r store.Reserved) (last *ending, ok bool) {
	job, err := resque.ParseReserved(r.Queue, r.Payload)
	if err != nil {
		job = &resque.Reserved{Queue: r.Queue, Payload: r.Payload, Worker: r.Worker}
		return s.end(&run{reserved: r, job: job, started: time.Now()}, err), true
	}
	job.Worker = r.Worker
	outer := job
	if job, err = resque.Unwrap(s.handler, outer); err != nil {
		return s.end(&run{reserved: r, job: outer, started: time.Now()}, err), true
	}
	during, in, ok := s.begin(ctx, r, job)
	if !ok {
		return s.outcomes.unstarted(r), true
	}
	returned := false
	defer func() {
		if !returned && s.take(in) { // runtime.Goexit: this goroutine is over, the slot is not
			s.goOn(func(ctx context.Context) *ending { return s.fail(ctx, in, errGoexit) })
		}
	}()
	hooked, err := s.performer.perform(during, job, in.killed, func() bool { return s.requeues(in) })
	returned = true
	unknown, err := ended(during, job.Class, err)
	switch {
	case !s.take(in):
		return nil, false
	case err == fork.ErrNotBegun: //nolint:errorlint // it is the performer's own, and methods of users' errors may panic
		return s.outcomes.unstarted(r), true
	case unknown && s.cfg.UnknownClass == PutBackUnknown:
		s.log.Info("job put back: its class is unknown here", "class", job.Class, "queue", job.Queue, "worker", r.Worker)
		return s.outcomes.putBack(r), true
	case err == nil || hooked:
		return s.end(in, err), true
	default:
		return s.fail(context.WithoutCancel(during), in, err), true
	}
}

// errGoexit is the error of a handler that ended its goroutine, as t.FailNow
// does, instead of returning.
var errGoexit = errors.New("the handler called runtime.Goexit")

// ended is the error of a job whose context may have been ended for it: then it
// is the reason that counts, not that the handler obeyed. unknown says that the
// job's class has no handler. The error is the user's, and its methods may panic.
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
		return false, resque.ErrDontPerform
	}
	var missing *resque.UnknownClassError
	return errors.As(err, &missing) && missing.Class == class, err
}
