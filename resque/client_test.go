package resque_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

func TestEnqueueIsRubys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		recording string
		enqueue   func(ctx context.Context, client *resque.Client) (resque.Receipt, error)
	}{
		{"enqueue", func(ctx context.Context, client *resque.Client) (resque.Receipt, error) {
			return client.Enqueue(ctx, resque.Define2[int, string]("Exporter", "exports").Job(1, "a"))
		}},
		{"enqueue_no_args", func(ctx context.Context, client *resque.Client) (resque.Receipt, error) {
			return client.Enqueue(ctx, resque.Define0("Exporter", "exports").Job())
		}},
		{"enqueue_to", func(ctx context.Context, client *resque.Client) (resque.Receipt, error) {
			job := resque.Define1[options]("Exporter", "exports").Job(options{7, []any{nil, true, 1.0}})
			return client.EnqueueTo(ctx, "urgent", job)
		}},
	} {
		t.Run(c.recording, func(t *testing.T) {
			t.Parallel()
			want := golden.Load(t, c.recording)
			redistest.Both(t, func(t *testing.T, s *redistest.Server) {
				client := s.Client(t)
				require.NoError(t, client.Redis().Ping(t.Context()))
				commands := func() [][]string { return want.Commands }
				if s.Real {
					commands = s.Monitor(t)
				}
				receipt, err := c.enqueue(t.Context(), client)
				require.NoError(t, err)
				assert.Equal(t, resque.Queued, receipt.State)
				assert.Contains(t, []string{"exports", "urgent"}, receipt.Queue)
				assert.Equal(t, want.Commands, commands())
				assert.Equal(t, want.Keyspace, golden.Dump(t, s.Conn(t)))
			})
		})
	}
}

func TestEnqueueRefuses(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	client := s.Client(t)
	for _, c := range []struct {
		name string
		job  resque.Job
		is   error
		says string
	}{
		{"no queue", resque.Job{Class: "Exporter"}, resque.ErrNoQueue, `resque: jobs must be placed onto a queue: class "Exporter" has no queue`},
		{"no class", resque.Job{Queue: "q"}, resque.ErrNoClass, "resque: jobs must be given a class"},
		{"nothing", resque.Job{}, resque.ErrNoQueue, "resque: jobs must be placed onto a queue"},
		{"a queue that no record can name", resque.Job{Queue: "a\xff", Class: "A"}, nil, `resque: queue "a\xff" is not valid UTF-8`},
		{"an argument without JSON", resque.Job{Queue: "q", Class: "A", Args: []any{func() {}}}, nil, "resque: A: argument 1: unsupported type func()"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			receipt, err := client.Enqueue(t.Context(), c.job)
			require.EqualError(t, err, c.says)
			assert.False(t, receipt.Enqueued())
			assert.NotErrorIs(t, err, resque.ErrMaybeQueued)
			if c.is != nil {
				assert.ErrorIs(t, err, c.is)
			}
			assert.Empty(t, golden.Dump(t, s.Conn(t)))
		})
	}
}

func TestNewNeedsARedis(t *testing.T) {
	t.Parallel()
	_, err := resque.New(nil, resque.Config{})
	require.EqualError(t, err, "resque: New: rdb is nil (open one with Open, or set Config.Inline)")
}

func TestEnqueueNamespace(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		for name, c := range map[string]struct {
			cfg  resque.RedisConfig
			want string
		}{
			"in the URL":   {resque.RedisConfig{URL: s.URL + "?namespace=one"}, "one:queue:q"},
			"in both":      {resque.RedisConfig{URL: s.URL + "?namespace=one", Namespace: "{two}"}, "{two}:queue:q"},
			"in the other": {resque.RedisConfig{URL: s.URL[len("redis://"):] + "/a:b"}, "a:b:queue:q"},
		} {
			rdb, err := resque.Open(c.cfg)
			require.NoError(t, err)
			client, err := resque.New(rdb, resque.Config{})
			require.NoError(t, err)
			_, err = client.Enqueue(t.Context(), resque.Job{Queue: "q", Class: "A"})
			require.NoError(t, err)
			n, err := redis.Int(s.Conn(t).Do("LLEN", c.want))
			require.NoError(t, err)
			assert.EqualValues(t, 1, n, name)
			require.NoError(t, client.Close())
		}
	})
}

func TestFromPool(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	rdb := resque.FromPool(&redis.Pool{Dial: func() (redis.Conn, error) { return redis.DialURL(s.URL) }}, "")
	assert.Equal(t, "resque", rdb.Namespace())
	assert.Equal(t, "resque:queue:q", rdb.Key("queue", "q"))
	assert.Equal(t, "a pool", rdb.String())
	client, err := resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	receipt, err := client.Enqueue(t.Context(), resque.Job{Queue: "q", Class: "A"})
	require.NoError(t, err)
	assert.True(t, receipt.Enqueued())
	require.NoError(t, client.Close())
	assert.Equal(t, "redis://localhost:6379", func() string {
		rdb, err := resque.Open(resque.RedisConfig{})
		require.NoError(t, err)
		return rdb.String()
	}())
}

// As in Ruby, enqueueing does not fail with DontPerform, and failure hooks are called.
func TestInlineHooks(t *testing.T) {
	t.Parallel()
	var failed []string
	boom := errors.New("boom")
	mux := resque.NewMux()
	for class, err := range map[string]error{"Fine": nil, "Not": resque.ErrDontPerform, "Fails": boom} {
		mux.Handle(resque.Define0(class, "q").Handler(func(context.Context) error { return nil }).
			Use(resque.BeforePerform(func(context.Context, *resque.Payload) error { return err })).
			OnFailure(func(ctx context.Context, job *resque.Payload, err error) error {
				found, _ := resque.FromContext(ctx)
				assert.Same(t, job, found)
				failed = append(failed, job.Class+": "+err.Error())
				return nil
			}))
	}
	for class, want := range map[string]error{"Fine": nil, "Not": nil, "Fails": boom} {
		receipt, err := inline(t, mux).Enqueue(t.Context(), resque.Job{Queue: "q", Class: class})
		require.ErrorIs(t, err, want, class)
		assert.Equal(t, want == nil, receipt.Enqueued(), class)
	}
	assert.Equal(t, []string{"Fails: boom"}, failed)
}

// The context of a failure hook is not done, even if the caller's is or the job timed out.
func TestInlineFailureHooksGetALiveContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	told := 0
	mux := resque.NewMux()
	hook := func(ctx context.Context, _ *resque.Payload, err error) error {
		told++
		require.NoError(t, ctx.Err(), err)
		assert.Nil(t, ctx.Done())
		assert.Equal(t, "value", ctx.Value(key{}))
		return nil
	}
	mux.Handle(resque.Define0("Late", "q", resque.Timeout(time.Millisecond)).Handler(func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}).OnFailure(hook))
	mux.Handle(resque.Define0("Left", "q").Handler(func(ctx context.Context) error {
		cancel()
		return ctx.Err()
	}).OnFailure(hook))
	client := inline(t, mux)
	for _, class := range []string{"Late", "Left"} {
		_, err := client.Enqueue(ctx, resque.Job{Queue: "q", Class: class})
		require.Error(t, err)
	}
	assert.Equal(t, 2, told)
}

// The Timeout of a class applies inline as it does in a worker.
func TestInlineTimeout(t *testing.T) {
	t.Parallel()
	own := errors.New("no disk")
	mux := resque.NewMux()
	wait := func(answer func(context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error {
			<-ctx.Done()
			return answer(ctx)
		}
	}
	mux.Handle(resque.Define0("Obeys", "q", resque.Timeout(time.Millisecond)).Handler(wait(func(ctx context.Context) error {
		return fmt.Errorf("reading: %w", ctx.Err())
	})))
	mux.Handle(resque.Define0("Own", "q", resque.Timeout(time.Millisecond)).Handler(wait(func(context.Context) error { return own })))
	mux.Handle(resque.Define0("Done", "q", resque.Timeout(time.Millisecond)).Handler(wait(func(context.Context) error { return nil })))
	mux.Handle(resque.Define0("Caller", "q", resque.Timeout(time.Hour)).Handler(wait(func(ctx context.Context) error { return ctx.Err() })))
	client := inline(t, mux)
	_, err := client.Enqueue(t.Context(), resque.Job{Queue: "q", Class: "Obeys"})
	var timeout *resque.TimeoutError
	require.ErrorAs(t, err, &timeout)
	assert.Equal(t, "resque: performing Obeys inline: Obeys: execution expired after 1ms", err.Error())
	_, err = client.Enqueue(t.Context(), resque.Job{Queue: "q", Class: "Own"})
	require.ErrorIs(t, err, own)
	_, err = client.Enqueue(t.Context(), resque.Job{Queue: "q", Class: "Done"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.Enqueue(ctx, resque.Job{Queue: "q", Class: "Caller"})
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, errors.As(err, &timeout))
}

func TestInline(t *testing.T) {
	t.Parallel()
	type key struct{}
	boom := errors.New("boom")
	mux := resque.NewMux()
	mux.HandleFunc("Fine", func(ctx context.Context, job *resque.Payload) error {
		assert.Equal(t, "value", ctx.Value(key{}), "the caller's context")
		found, ok := resque.FromContext(ctx)
		assert.True(t, ok)
		assert.Same(t, job, found)
		assert.Equal(t, "q", job.Queue)
		assert.Empty(t, job.Worker)
		assert.JSONEq(t, `{"class":"Fine","args":[1]}`, string(job.Raw))
		return nil
	})
	mux.HandleFunc("Fails", func(context.Context, *resque.Payload) error { return boom })
	mux.HandleFunc("Panics", func(context.Context, *resque.Payload) error { panic(boom) })
	client := inline(t, mux)
	assert.Nil(t, client.Redis())
	ctx := context.WithValue(t.Context(), key{}, "value")

	receipt, err := client.Enqueue(ctx, resque.Job{Queue: "q", Class: "Fine", Args: []any{1}})
	require.NoError(t, err)
	assert.True(t, receipt.Enqueued())
	for class, says := range map[string]string{
		"Fails":  "resque: performing Fails inline: boom",
		"Panics": "resque: performing Panics inline: panic: boom",
		"Nobody": "resque: performing Nobody inline: uninitialized constant Nobody (no Go handler is registered for this class)",
	} {
		receipt, err := client.Enqueue(ctx, resque.Job{Queue: "q", Class: class})
		require.EqualError(t, err, says)
		assert.False(t, receipt.Enqueued())
		assert.NotErrorIs(t, err, resque.ErrMaybeQueued)
		assert.Equal(t, class != "Nobody", errors.Is(err, boom))
	}
	_, err = client.Enqueue(ctx, resque.Job{Class: "Fine"})
	require.ErrorIs(t, err, resque.ErrNoQueue, "as with a Redis")
	require.NoError(t, client.Close())
}
