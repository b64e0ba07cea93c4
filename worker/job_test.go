package worker

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// oneJob is an exchange with one job. It keeps the job's outcome.
type oneJob struct {
	payload string
	given   bool
	ended   []*exchange.Finished
}

func (x *oneJob) Next(_ context.Context, worker string, last *exchange.Finished) (store.Reserved, bool) {
	if last != nil {
		x.ended = append(x.ended, last)
	}
	if x.given {
		return store.Reserved{}, false
	}
	x.given = true
	return store.Reserved{Worker: worker, Queue: "exports", Payload: []byte(x.payload)}, true
}

// nowhere is a Redis that is never used.
type nowhere struct{ store.Redis }

func (nowhere) Key(parts ...string) string { return strings.Join(parts, ":") }

// lone is a slot without a worker and a Redis.
type lone struct {
	*slot
	exchange *oneJob
	stuck    atomic.Int64
}

func newLone(handler resque.Handler, cfg Config) *lone {
	l := &lone{exchange: &oneJob{payload: `{"class":"Exporter","args":[]}`}}
	log := slog.New(slog.DiscardHandler)
	cfg.Logger, cfg.FailureLists = log, resque.FailuresTogether
	l.slot = &slot{
		id: "web~go:1:exports", handler: handler, performer: inProcess{handler}, exchange: l.exchange, cfg: cfg, log: log,
		noteBegun: func(*runningJob) {}, outcomes: outcomes{store.New(nowhere{}), cfg.FailureLists},
		timeouts: timeouts{handler: handler, timeout: cfg.Timeout, stuck: &l.stuck, log: log},
	}
	return l
}

type contextKey struct{}

// A job's failure hooks run after its context has ended, or while the worker stops. The
// hooks' context has not ended, and has the values of Run's context.
func TestFailureHooksGetAContextThatHasNotEnded(t *testing.T) {
	t.Parallel()
	waits := func(ctx context.Context, _ *resque.Payload) error { <-ctx.Done(); return ctx.Err() }
	for name, test := range map[string]struct {
		perform resque.HandlerFunc
		cfg     Config
		end     func(l *lone, drain context.CancelFunc)
		want    error
	}{
		"a time limit": {waits, Config{Timeout: time.Minute}, func(*lone, context.CancelFunc) {}, &resque.TimeoutError{Class: "Exporter", After: time.Minute}},
		"EndJobs":      {waits, Config{}, func(l *lone, _ context.CancelFunc) { l.interrupt(resque.ErrTerm, false) }, resque.ErrTerm},
		"a stop":       {waits, Config{}, func(l *lone, drain context.CancelFunc) { drain(); l.interrupt(resque.ErrTerm, true) }, resque.ErrTerm},
		"given up": {
			func(ctx context.Context, _ *resque.Payload) error {
				backoff.Sleep(context.WithoutCancel(ctx), time.Hour)
				return nil
			},
			Config{},
			func(l *lone, drain context.CancelFunc) { drain(); l.giveUp() },
			errStillProcessed,
		},
		"Goexit while the worker stops": {
			func(ctx context.Context, _ *resque.Payload) error {
				backoff.Sleep(context.WithoutCancel(ctx), time.Minute)
				runtime.Goexit()
				return nil
			},
			Config{},
			func(_ *lone, drain context.CancelFunc) { drain() },
			errGoexit,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var told []error
				mux := resque.NewMux()
				mux.Handle(resque.Route{Class: "Exporter", Handler: test.perform}.OnFailure(func(ctx context.Context, job *resque.Payload, err error) error {
					assert.NoError(t, ctx.Err())
					assert.Equal(t, "kept", ctx.Value(contextKey{}))
					assert.Equal(t, "web~go:1:exports", job.Worker)
					told = append(told, err)
					return nil
				}))
				ctx, drain := context.WithCancel(context.WithValue(t.Context(), contextKey{}, "kept"))
				defer drain()
				l := newLone(mux, test.cfg)
				var slots sync.WaitGroup
				l.start(ctx, &slots)
				synctest.Wait()
				test.end(l, drain)
				slots.Wait()
				assert.Equal(t, []error{test.want}, told)
				assert.Len(t, l.exchange.ended, 1, "finished once")
				backoff.Sleep(context.WithoutCancel(ctx), 2*time.Hour) // the handler returns after the worker stopped waiting
				assert.Len(t, told, 1)
				assert.Len(t, l.exchange.ended, 1)
				assert.Zero(t, l.stuck.Load())
			})
		})
	}
}

// A worker that has begun to stop begins no job, because the stopper may have looked for
// running jobs already. The job returns to its queue.
func TestJobIsNotBegunWhileTheWorkerStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mux := resque.NewMux()
		mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error { t.Error("performed"); return nil })
		l := newLone(mux, Config{Timeout: time.Second})
		ctx, drain := context.WithCancel(t.Context())
		drain()
		last, ok := l.reserved(ctx, context.WithoutCancel(ctx), store.Reserved{Worker: l.id, Queue: "exports", Payload: []byte(l.exchange.payload)})
		require.True(t, ok)
		assert.True(t, last.Returned)
		assert.Nil(t, l.running)
		backoff.Sleep(t.Context(), time.Hour)
		assert.Zero(t, l.stuck.Load(), "its alarm is left")
	})
}

// A job that still runs after its context ended is stuck until it returns. After that
// no alarm is left.
func TestStuckJobsAreCountedUntilTheyReturn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		takes, limit time.Duration
		end          func(l *lone)
		stuck        int64 // after a minute
	}{
		"within its limit":          {time.Second, 10 * time.Second, nil, 0},
		"over its limit":            {time.Hour, 10 * time.Second, nil, 1},
		"told to end, and ends":     {2 * time.Second, 0, func(l *lone) { l.interrupt(resque.ErrTerm, false); l.interrupt(resque.ErrTerm, false) }, 0},
		"told to end, and goes on":  {time.Hour, 0, func(l *lone) { l.interrupt(resque.ErrTerm, false); l.interrupt(resque.ErrTerm, false) }, 1},
		"told to end with a worker": {time.Hour, 0, func(l *lone) { l.interrupt(resque.ErrTerm, true) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mux := resque.NewMux()
				mux.HandleFunc("Exporter", func(ctx context.Context, _ *resque.Payload) error {
					backoff.Sleep(context.WithoutCancel(ctx), test.takes)
					return nil
				})
				l := newLone(mux, Config{Timeout: test.limit})
				var slots sync.WaitGroup
				l.start(t.Context(), &slots)
				synctest.Wait()
				if test.end != nil {
					test.end(l)
				}
				backoff.Sleep(t.Context(), time.Minute)
				assert.Equal(t, test.stuck, l.stuck.Load())
				slots.Wait()
				assert.Zero(t, l.stuck.Load())
				backoff.Sleep(t.Context(), time.Hour)
				assert.Zero(t, l.stuck.Load(), "an alarm is left")
			})
		})
	}
}

// A job returns to its queue only if the worker stops, OnShutdown is RequeueInterrupted,
// and the job ended because it was told to.
func TestWhichJobsAreReturned(t *testing.T) {
	t.Parallel()
	own := errors.New("no disk")
	for name, test := range map[string]struct {
		on       OnShutdown
		stopping bool
		err      error
		returned bool
	}{
		"a stop":              {RequeueInterrupted, true, resque.ErrTerm, true},
		"given up":            {RequeueInterrupted, true, errStillProcessed, true},
		"its own error":       {RequeueInterrupted, true, own, false},
		"EndJobs":             {RequeueInterrupted, false, resque.ErrTerm, false},
		"as Resque":           {FailInterrupted, true, resque.ErrTerm, false},
		"given up, as Resque": {FailInterrupted, true, errStillProcessed, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := 0
			mux := resque.NewMux()
			mux.Handle(resque.Route{Class: "Exporter", Handler: resque.HandlerFunc(func(context.Context, *resque.Payload) error { return nil })}.OnFailure(
				func(context.Context, *resque.Payload, error) error { told++; return nil }))
			l := newLone(mux, Config{OnShutdown: test.on})
			in := &runningJob{job: &resque.Payload{Class: "Exporter", Queue: "exports"}, stopping: test.stopping}
			last := l.fail(t.Context(), in, test.err)
			assert.Equal(t, test.returned, last.Returned)
			assert.Equal(t, test.returned, told == 0, "its hooks are called if it failed")
			assert.Equal(t, test.returned, last.failure == nil)
		})
	}
}
