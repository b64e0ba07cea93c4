package resque_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// The client's middleware wraps every method that enqueues a job of Resque or of Rails,
// with Redis and inline.
func TestClientMiddlewareIsAroundEveryEnqueue(t *testing.T) {
	t.Parallel()
	rails := activejob.Define1[int]("ExportJob", "exports")
	ways := map[string]func(context.Context, *resque.Client) (resque.Receipt, error){
		"Enqueue": func(ctx context.Context, c *resque.Client) (resque.Receipt, error) {
			return c.Enqueue(ctx, exporter(1))
		},
		"EnqueueTo": func(ctx context.Context, c *resque.Client) (resque.Receipt, error) {
			return c.EnqueueTo(ctx, "exports", exporter(1))
		},
		"EnqueueFront": func(ctx context.Context, c *resque.Client) (resque.Receipt, error) {
			return c.EnqueueFront(ctx, exporter(1))
		},
		"EnqueueAll": func(ctx context.Context, c *resque.Client) (resque.Receipt, error) {
			receipts, err := c.EnqueueAll(ctx, []resque.Job{exporter(1)})
			return receipts[0], err
		},
		"ActiveJob": func(ctx context.Context, c *resque.Client) (resque.Receipt, error) {
			return c.Enqueue(ctx, rails.Job(1))
		},
		"a route": func(ctx context.Context, c *resque.Client) (resque.Receipt, error) {
			return c.Enqueue(ctx, resque.Route{Class: "Exporter", Queue: "exports"}.Job(1))
		},
	}
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error { return nil })
	mux.Handle(rails.Handler(func(context.Context, int) error { return nil }))
	s := redistest.Start(t)
	for name, enqueue := range ways {
		for mode, cfg := range map[string]resque.Config{"redis": {}, "inline": {Inline: mux}} {
			t.Run(name+" "+mode, func(t *testing.T) {
				t.Parallel()
				var seen []string
				cfg.EnqueueHooks = []resque.EnqueueMiddleware{resque.TimeEnqueue(
					func(_ context.Context, job resque.Job, took time.Duration, receipt resque.Receipt, err error) {
						assert.Positive(t, took)
						seen = append(seen, fmt.Sprint(job.InnerClass(), " ", job.Queue, " ", receipt.Enqueued(), " ", err))
					})}
				client, err := resque.New(s.Open(t), cfg)
				require.NoError(t, err)
				receipt, err := enqueue(t.Context(), client)
				require.NoError(t, err)
				assert.True(t, receipt.Enqueued())
				class := "Exporter"
				if name == "ActiveJob" {
					class = "ExportJob"
				}
				assert.Equal(t, []string{class + " exports true <nil>"}, seen)
			})
		}
	}
}

// ends returns handlers by the way in which they end.
func ends() map[string]resque.HandlerFunc {
	return map[string]resque.HandlerFunc{
		"Good":  func(context.Context, *resque.Payload) error { return nil },
		"Bad":   func(context.Context, *resque.Payload) error { return errors.New("out of paper") },
		"Panic": func(context.Context, *resque.Payload) error { panic("at the disco") },
		"Drop":  func(context.Context, *resque.Payload) error { return fmt.Errorf("no: %w", resque.ErrDontPerform) },
		"Late":  func(context.Context, *resque.Payload) error { return fmt.Errorf("oh: %w", context.Canceled) },
	}
}

func endings(t *testing.T, middleware ...resque.Middleware) *resque.Client {
	t.Helper()
	mux := resque.NewMux()
	mux.Use(middleware...)
	for class, handler := range ends() {
		mux.HandleFunc(class, handler)
	}
	client, err := resque.New(nil, resque.Config{Inline: mux})
	require.NoError(t, err)
	return client
}

func TestTimePerform(t *testing.T) {
	t.Parallel()
	var seen []string
	client := endings(t, resque.TimePerform(func(ctx context.Context, job *resque.Payload, took time.Duration, err error) {
		assert.Positive(t, took)
		outcome, _ := resque.ResultOf(ctx, err)
		seen = append(seen, fmt.Sprint(job.Class, " ", outcome, " ", err))
	}))
	for _, class := range []string{"Good", "Bad", "Panic", "Drop", "Late"} {
		_, err := client.Enqueue(t.Context(), resque.Job{Queue: "q", Class: class})
		assert.Equal(t, class == "Good" || class == "Drop", err == nil, class)
	}
	assert.Equal(t, []string{
		"Good succeeded <nil>", "Bad failed out of paper", "Panic failed panic: at the disco",
		"Drop dropped no: " + resque.ErrDontPerform.Error(), "Late failed oh: context canceled",
	}, seen)
}

func TestTimePerformOfAGoroutineThatEnds(t *testing.T) {
	t.Parallel()
	var told error
	handler := resque.TimePerform(func(_ context.Context, _ *resque.Payload, _ time.Duration, err error) { told = err })(
		resque.HandlerFunc(func(context.Context, *resque.Payload) error { runtime.Goexit(); return nil }))
	var ended sync.WaitGroup
	ended.Go(func() { _ = handler.Perform(context.Background(), &resque.Payload{}) })
	ended.Wait()
	require.ErrorContains(t, told, "runtime.Goexit")
}

// Middleware that recovers a panic must not change the recorded failure.
func TestAPanicIsRecordedAsWithoutMiddleware(t *testing.T) {
	t.Parallel()
	record := func(middleware ...resque.Middleware) resque.Failure {
		route := resque.Route{Class: "A", Handler: resque.HandlerFunc(func(context.Context, *resque.Payload) error { panic(errors.New("oh")) })}.Use(middleware...)
		job := &resque.Payload{Class: "A", Raw: []byte(`{"class":"A"}`)}
		failure := resque.NewFailure(job, resque.Perform(t.Context(), route.Handler, job), time.Time{})
		failure.Err = nil // is not recorded
		return failure
	}
	plain := record()
	require.NotEmpty(t, plain.Backtrace)
	quiet := slog.New(slog.DiscardHandler)
	assert.Equal(t, plain, record(resque.RecoverPerform))
	assert.Equal(t, plain, record(resque.LogPerform(quiet), resque.RecoverPerform, resque.LogPerform(quiet)))
}

func TestRecoverEnqueue(t *testing.T) {
	t.Parallel()
	explode := func(resque.EnqueueFunc) resque.EnqueueFunc {
		return func(context.Context, resque.Job) (resque.Receipt, error) { panic(errors.New("oh")) }
	}
	client := hooked(t, redistest.StartEmbedded(t), resque.RecoverEnqueue, explode)
	receipt, err := client.Enqueue(t.Context(), exporter(1))
	assert.False(t, receipt.Enqueued())
	var panicked *resque.PanicError
	require.ErrorAs(t, err, &panicked)
	assert.NotEmpty(t, panicked.Stack)
	receipts, err := client.EnqueueAll(t.Context(), []resque.Job{exporter(1), exporter(2)})
	assert.Zero(t, receipts.Enqueued())
	require.ErrorAs(t, err, &panicked)
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	canceled := func(cause error) context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(cause)
		return ctx
	}
	expired, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	alive := context.Background()
	oh, late := errors.New("oh"), &resque.TimeoutError{Class: "A"}
	wrapped := fmt.Errorf("oh: %w", context.Canceled)
	for i, c := range []struct {
		ctx    context.Context
		err    error
		want   resque.Result
		reason error
	}{
		{alive, nil, resque.ResultSucceeded, nil},
		{canceled(nil), nil, resque.ResultSucceeded, nil}, // the handler returned without an error
		{alive, oh, resque.ResultFailed, oh},
		{alive, interruption{}, resque.ResultCanceled, interruption{}},
		{alive, context.Canceled, resque.ResultFailed, context.Canceled}, // of something that the job called
		{alive, context.DeadlineExceeded, resque.ResultFailed, context.DeadlineExceeded},
		{alive, resque.ErrDontPerform, resque.ResultDropped, resque.ErrDontPerform},
		{canceled(nil), wrapped, resque.ResultCanceled, context.Canceled},
		{canceled(oh), wrapped, resque.ResultCanceled, oh},
		{canceled(resque.ErrTerm), context.Canceled, resque.ResultCanceled, resque.ErrTerm},
		{canceled(resque.ErrTerm), resque.ErrTerm, resque.ResultCanceled, resque.ErrTerm},
		{canceled(resque.ErrTerm), oh, resque.ResultFailed, oh},
		{canceled(late), context.Canceled, resque.ResultFailed, late},
		{expired, context.DeadlineExceeded, resque.ResultFailed, context.DeadlineExceeded},
	} {
		got, reason := resque.ResultOf(c.ctx, c.err)
		assert.Equal(t, c.want, got, "%d: %v", i, c.err)
		assert.Equal(t, c.reason, reason, "%d: %v", i, c.err)
	}
	got, reason := resque.ResultOf(alive, (*resque.PanicError)(nil)) // its methods panic
	assert.Equal(t, resque.ResultFailed, got)
	require.ErrorContains(t, reason, "nil pointer")
}

// interruption is the error of a job that goes on later.
type interruption struct{}

func (interruption) Error() string     { return "interrupted" }
func (interruption) Interrupted() bool { return true }

func TestExceptionName(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"": nil, "*errors.errorString": errors.New("oh"), "PanicError": &resque.PanicError{}, "NameError": fmt.Errorf("oh: %w", &resque.UnknownClassError{}),
	} {
		assert.Equal(t, strings.TrimPrefix(want, "*"), resque.ExceptionName(err))
	}
}

// logged returns a logger and the buffer it writes to. It omits times.
func logged() (*slog.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	return slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "duration" {
				return slog.Attr{}
			}
			return a
		},
	})), &out
}

func TestLogPerform(t *testing.T) {
	t.Parallel()
	log, out := logged()
	client := endings(t, resque.LogPerform(log))
	for _, class := range []string{"Good", "Bad", "Panic", "Drop"} {
		_, _ = client.Enqueue(t.Context(), resque.Job{Queue: "q", Class: class, Args: []any{"secret"}})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = client.Enqueue(ctx, resque.Job{Queue: "q", Class: "Late"})
	assert.Equal(t, `level=INFO msg="job done" class=Good queue=q worker=""
level=ERROR msg="job failed" class=Bad queue=q worker="" err="out of paper"
level=ERROR msg="job failed" class=Panic queue=q worker="" err="panic: at the disco"
level=INFO msg="job not performed: a hook refused it" class=Drop queue=q worker=""
level=INFO msg="job ended: it was canceled" class=Late queue=q worker="" err="context canceled"
`, out.String())
}

func TestLogEnqueue(t *testing.T) {
	t.Parallel()
	log, out := logged()
	veto := resque.BeforeEnqueue(func(_ context.Context, job resque.Job) (bool, error) { return job.Class != "Veto", nil })
	client := hooked(t, redistest.StartEmbedded(t), resque.LogEnqueue(log), veto)
	_, err := client.EnqueueAll(t.Context(), []resque.Job{exporter(4711), {Queue: "q", Class: "Veto"}, activejob.Define0("ExportJob", "q").Job()})
	require.NoError(t, err)
	_, err = client.EnqueueAt(t.Context(), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), exporter(4711))
	require.NoError(t, err)
	_, err = client.Enqueue(t.Context(), resque.Job{Class: "A", Args: []any{"secret"}})
	require.Error(t, err)
	said := out.String()
	for _, line := range []string{
		`level=INFO msg="job enqueued" class=Exporter queue=exports` + "\n",
		`level=INFO msg="job not enqueued: a hook refused it" class=Veto queue=q` + "\n",
		`due=2200-01-01T00:00:00.000Z` + "\n",
		`level=INFO msg="job delayed" class=Exporter queue=exports`,
		`level=INFO msg="job enqueued" class=ExportJob queue=q` + "\n",
		`level=ERROR msg="enqueueing a job failed" class=A queue="" queued=false err=`,
	} {
		assert.Contains(t, said, line)
	}
	assert.NotContains(t, said, "4711")
	assert.NotContains(t, said, "secret")
}

func TestStampEnqueuedAt(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	client := hooked(t, s, resque.StampEnqueuedAt)
	before := time.Now().Truncate(time.Millisecond)
	_, err := client.EnqueueAll(t.Context(), []resque.Job{exporter(1), activejob.Define0("ExportJob", "exports").Job()})
	require.NoError(t, err)
	for job, err := range client.Peek(t.Context(), "exports", 0, -1) {
		require.NoError(t, err)
		at, ok := job.WaitingSince()
		require.True(t, ok, "%s", job.Raw)
		assert.WithinRange(t, at, before, time.Now())
		_, stamped := job.Member("enqueued_at")
		assert.Equal(t, job.Class == "Exporter", stamped, "Rails has its own")
	}
}
