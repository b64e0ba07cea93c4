package resque_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// hooked returns a client with hooks around every call that enqueues.
func hooked(t *testing.T, s *redistest.Server, hooks ...resque.EnqueueMiddleware) *resque.Client {
	t.Helper()
	client, err := resque.New(s.Open(t), resque.Config{EnqueueHooks: hooks})
	require.NoError(t, err)
	return client
}

// noting returns middleware that records its calls.
func noting(calls *[]string, name string) resque.EnqueueMiddleware {
	return func(next resque.EnqueueFunc) resque.EnqueueFunc {
		return func(ctx context.Context, job resque.Job) (resque.Receipt, error) {
			*calls = append(*calls, name)
			receipt, err := next(ctx, job)
			*calls = append(*calls, fmt.Sprint(name, " ", receipt.Enqueued()))
			return receipt, err
		}
	}
}

func TestEnqueueHooksAreNested(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	var calls []string
	client := hooked(t, s, noting(&calls, "client 1"), noting(&calls, "client 2"))
	plain := resque.Define1[int]("Exporter", "exports")
	one := resque.Define1[int]("Exporter", "exports", noting(&calls, "class 1"))
	two := resque.Define1[int]("Exporter", "exports", noting(&calls, "class 1"), noting(&calls, "class 2"))

	receipt, err := client.Enqueue(t.Context(), two.Job(1))
	require.NoError(t, err)
	assert.True(t, receipt.Enqueued())
	assert.Equal(t, []string{
		"client 1", "client 2", "class 1", "class 2",
		"class 2 true", "class 1 true", "client 2 true", "client 1 true",
	}, calls)

	calls = nil
	_, err = s.Client(t).EnqueueTo(t.Context(), "urgent", one.Job(1))
	require.NoError(t, err)
	assert.Equal(t, []string{"class 1", "class 1 true"}, calls)

	calls = nil
	_, err = s.Client(t).Enqueue(t.Context(), plain.Job(1))
	require.NoError(t, err)
	_, err = s.Client(t).Enqueue(t.Context(), exporter(1))
	require.NoError(t, err)
	assert.Empty(t, calls)
}

func TestEnqueueHooksMayChangeTheJob(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	client := hooked(t, s, func(next resque.EnqueueFunc) resque.EnqueueFunc {
		return func(ctx context.Context, job resque.Job) (resque.Receipt, error) {
			job.Queue = "tenant-7"
			return next(ctx, job)
		}
	})
	receipt, err := client.Enqueue(t.Context(), resque.Job{Class: "A"}) // without a queue
	require.NoError(t, err)
	assert.True(t, receipt.Enqueued())
	assert.Equal(t, 1, len(collect(t, client.Peek(t.Context(), "tenant-7", 0, -1))))
}

func TestEnqueueHooksErrors(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, c := range []struct {
		name    string
		hook    resque.EnqueueMiddleware
		queued  bool
		err     error
		waiting int
	}{
		{"a veto", resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) { return false, nil }), false, nil, 0},
		{"an error before", resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) { return true, boom }), false, boom, 0},
		{"an error after", resque.AfterEnqueue(func(context.Context, resque.Job) error { return boom }), true, boom, 1},
		{"none", resque.AfterEnqueue(func(context.Context, resque.Job) error { return nil }), true, nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartEmbedded(t)
			client := hooked(t, s, c.hook)
			receipt, err := client.Enqueue(t.Context(), exporter(1))
			require.ErrorIs(t, err, c.err)
			assert.Equal(t, c.queued, receipt.Enqueued())
			size, err := client.Size(t.Context(), "exports")
			require.NoError(t, err)
			assert.EqualValues(t, c.waiting, size)
		})
	}
	t.Run("after what was not queued", func(t *testing.T) {
		t.Parallel()
		called := false
		client := hooked(t, redistest.StartEmbedded(t), resque.AfterEnqueue(func(context.Context, resque.Job) error {
			called = true
			return nil
		}))
		_, err := client.Enqueue(t.Context(), resque.Job{Class: "A"})
		require.ErrorIs(t, err, resque.ErrNoQueue)
		assert.False(t, called)
	})
}

func TestEnqueueHooksInline(t *testing.T) {
	t.Parallel()
	var calls []string
	mux := resque.NewMux()
	mux.HandleFunc("A", func(context.Context, *resque.Payload) error {
		calls = append(calls, "performed")
		return nil
	})
	client, err := resque.New(nil, resque.Config{Inline: mux, EnqueueHooks: []resque.EnqueueMiddleware{noting(&calls, "hook")}})
	require.NoError(t, err)
	_, err = client.Enqueue(t.Context(), resque.Job{Queue: "q", Class: "A"})
	require.NoError(t, err)
	assert.Equal(t, []string{"hook", "performed", "hook true"}, calls)
}

// The client copies the slices, so that a config can be changed for the next client.
func TestHooksAreCopied(t *testing.T) {
	t.Parallel()
	var calls []string
	mux := resque.NewMux()
	mux.HandleFunc("A", func(context.Context, *resque.Payload) error { return nil })
	cfg := resque.Config{Inline: mux, EnqueueHooks: []resque.EnqueueMiddleware{noting(&calls, "first")}}
	client, err := resque.New(nil, cfg)
	require.NoError(t, err)
	cfg.EnqueueHooks[0] = noting(&calls, "second")
	_, err = client.Enqueue(t.Context(), resque.Job{Queue: "q", Class: "A"})
	require.NoError(t, err)
	assert.Equal(t, []string{"first", "first true"}, calls)
}

func TestEnqueueFront(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		var calls []string
		client := hooked(t, s, noting(&calls, "hook"))
		_, err := client.Enqueue(t.Context(), exporter(1))
		require.NoError(t, err)
		calls = nil
		receipt, err := client.EnqueueFront(t.Context(), exporter(0))
		require.NoError(t, err)
		assert.True(t, receipt.Enqueued())
		assert.Equal(t, []string{"hook", "hook true"}, calls)
		assert.Equal(t, []int{0, 1}, numbers(t, client, "exports"))
		_, err = client.EnqueueFront(t.Context(), resque.Job{Queue: "new", Class: "A"})
		require.NoError(t, err)
		assert.Equal(t, []any{"exports", "new"}, golden.Dump(t, s.Conn(t))["resque:queues"].Value)
	})
}

func TestRouteWith(t *testing.T) {
	t.Parallel()
	var calls []string
	s := redistest.StartEmbedded(t)
	mux := resque.NewMux()
	mux.Handle(resque.Define1[int64]("Exporter", "exports", noting(&calls, "hook")).Handler(func(context.Context, int64) error { return nil }))
	route, ok := mux.Route("Exporter")
	require.True(t, ok)
	_, err := s.Client(t).Enqueue(t.Context(), route.Job(5))
	require.NoError(t, err)
	assert.Equal(t, []string{"hook", "hook true"}, calls, "a class's hooks are there for who knows it only by its name")
	assert.Equal(t, []int{5}, numbers(t, s.Client(t), "exports"))
}

// Every kind of definition has hooks.
func TestEveryDefinitionHasHooks(t *testing.T) {
	t.Parallel()
	var enqueued, dequeued int
	enqueue := func(next resque.EnqueueFunc) resque.EnqueueFunc { enqueued++; return next }
	dequeue := func(next resque.DequeueFunc) resque.DequeueFunc { dequeued++; return next }
	client := redistest.StartEmbedded(t).Client(t)
	for i, job := range []resque.Job{
		resque.Define0("A", "q", resque.EnqueueMiddleware(enqueue), resque.DequeueMiddleware(dequeue)).Job(),
		resque.Define1[int]("A", "q", resque.DequeueMiddleware(dequeue), resque.EnqueueMiddleware(enqueue)).Job(1),
		resque.Define2[int, int]("A", "q", resque.EnqueueMiddleware(enqueue), resque.DequeueMiddleware(dequeue)).Job(1, 2),
		resque.Define3[int, int, int]("A", "q", resque.EnqueueMiddleware(enqueue), resque.DequeueMiddleware(dequeue)).Job(1, 2, 3),
		resque.Define4[int, int, int, int]("A", "q", resque.EnqueueMiddleware(enqueue), resque.DequeueMiddleware(dequeue)).Job(1, 2, 3, 4),
	} {
		_, err := client.Enqueue(t.Context(), job)
		require.NoError(t, err)
		assert.Equal(t, i+1, enqueued)
		removed, ok, err := client.Dequeue(t.Context(), job)
		require.NoError(t, err)
		assert.True(t, ok)
		assert.EqualValues(t, 1, removed)
		assert.Equal(t, i+1, dequeued)
	}
}
