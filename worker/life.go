package worker

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// slot performs one job after the other. To Resque it is a worker.
type slot struct {
	id       string
	handler  resque.Handler
	exchange *exchange
	outcomes outcomes
	limits   limits
	unknown  UnknownClass
	log      *slog.Logger
}

func newSlot(id string, w *Worker, x *exchange) *slot {
	return &slot{
		id: id, handler: w.handler, exchange: x, log: w.cfg.Logger,
		outcomes: outcomes{w.backend}, unknown: w.cfg.UnknownClass,
		limits: limits{handler: w.handler, timeout: w.cfg.Timeout, stuck: &w.stuck, log: w.cfg.Logger},
	}
}

// start lets the slot live in a goroutine that slots counts, until ctx ends.
func (s *slot) start(ctx context.Context, slots *sync.WaitGroup) {
	slots.Go(func() { s.live(ctx, slots, nil) })
}

// live is the life of a job, over and over: a turn at the exchange hands in how
// the last job ended and brings the next one, which is then performed. It ends
// when the exchange has no more jobs to give.
//
// Ruby: Resque::Worker#work_one_job.
func (s *slot) live(ctx context.Context, slots *sync.WaitGroup, last *ending) {
	for {
		reserved, ok := s.exchange.turn(ctx, s.id, last)
		if !ok {
			return
		}
		last = s.perform(ctx, slots, reserved)
	}
}

// perform runs a job's handler and says how the job ended. It touches no Redis.
// The job's context has the values of ctx but does not end with it: a planned
// stop finishes what runs.
//
// Ruby: Resque::Worker#perform.
func (s *slot) perform(ctx context.Context, slots *sync.WaitGroup, r store.Reserved) *ending {
	started := time.Now()
	job, err := resque.ParseReserved(r.Queue, r.Payload)
	if err != nil {
		job = &resque.Reserved{Queue: r.Queue, Payload: r.Payload, Worker: s.id}
		return s.end(r, job, err, started)
	}
	job.Worker = s.id

	during, release := s.limits.watch(context.WithoutCancel(ctx), job)
	returned := false
	defer func() {
		release()
		if !returned { // runtime.Goexit: this goroutine is over, the slot is not
			last := s.end(r, job, errGoexit, started)
			slots.Go(func() { s.live(ctx, slots, last) })
		}
	}()
	unknown, err := ended(during, job.Class, resque.Perform(during, s.handler, job))
	returned = true
	if unknown && s.unknown == PutBackUnknown {
		s.log.Info("job put back: its class is unknown here", "class", job.Class, "queue", job.Queue, "worker", s.id)
		return s.outcomes.putBack(r)
	}
	return s.end(r, job, err, started)
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
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return false, context.Cause(ctx)
	}
	var missing *resque.UnknownClassError
	return errors.As(err, &missing) && missing.Class == class, err
}

// end chooses the ending of a job and writes the job's one line to the log.
func (s *slot) end(r store.Reserved, job *resque.Reserved, err error, started time.Time) *ending {
	now := time.Now()
	attrs := []any{"class", job.Class, "queue", job.Queue, "worker", s.id, "duration", now.Sub(started)}
	if err == nil {
		s.log.Info("job done", attrs...)
		return s.outcomes.done(r)
	}
	s.log.Error("job failed", append(attrs, "err", err)...)
	return s.outcomes.failed(r, resque.NewFailure(job, err, now))
}
