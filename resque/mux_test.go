package resque_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
)

type innermost struct{}

func doNothing(context.Context, *resque.Payload) error { return nil }

func TestMuxPerforms(t *testing.T) {
	t.Parallel()
	var calls []string
	around := func(name string) resque.Middleware {
		return func(next resque.Handler) resque.Handler {
			calls = append(calls, "bind "+name)
			return resque.HandlerFunc(func(ctx context.Context, job *resque.Payload) error {
				calls = append(calls, "before "+name)
				defer func() { calls = append(calls, "after "+name) }()
				return next.Perform(context.WithValue(ctx, innermost{}, name), job)
			})
		}
	}
	mux := resque.NewMux()
	mux.Use(around("a"), around("b"))
	mux.Use(around("c"))
	boom := errors.New("boom")
	mux.HandleFunc("A", func(ctx context.Context, job *resque.Payload) error {
		assert.Equal(t, "c", ctx.Value(innermost{}), "the innermost middleware's context")
		found, ok := resque.FromContext(ctx)
		assert.True(t, ok)
		assert.Same(t, job, found)
		calls = append(calls, "perform")
		return boom
	})
	assert.Equal(t, []string{"bind c", "bind b", "bind a"}, calls, "bound once, when registered")
	calls = nil
	job := &resque.Payload{Class: "A", Queue: "q", Raw: []byte(`{"class":"A"}`)}
	require.ErrorIs(t, resque.Perform(t.Context(), mux, job), boom)
	assert.Equal(t, []string{"before a", "before b", "before c", "perform", "after c", "after b", "after a"}, calls)
}

func TestMuxUnknownClass(t *testing.T) {
	t.Parallel()
	mux := resque.NewMux()
	mux.HandleFunc("A", doNothing)
	err := mux.Perform(t.Context(), &resque.Payload{Class: "B"})
	require.EqualError(t, err, "uninitialized constant B (no Go handler is registered for this class)")
	var unknown *resque.UnknownClassError
	require.ErrorAs(t, err, &unknown)
	assert.Equal(t, "B", unknown.Class)
	assert.Equal(t, "NameError", unknown.ExceptionName())
}

func TestMuxRoute(t *testing.T) {
	t.Parallel()
	mux := resque.NewMux()
	mux.Handle(resque.Route{Class: "A", Queue: "q", Handler: resque.HandlerFunc(doNothing)})
	r, ok := mux.Route("A")
	assert.True(t, ok)
	assert.Equal(t, "q", r.Queue)
	_, ok = mux.Route("B")
	assert.False(t, ok)
	assert.Empty(t, resque.NewMux().Classes())
}

func TestMuxPanics(t *testing.T) {
	t.Parallel()
	mux := resque.NewMux()
	mux.HandleFunc("A", doNothing)
	for _, c := range []struct {
		says string
		do   func()
	}{
		{`resque: Handle: class "A" is already registered`, func() { mux.HandleFunc("A", doNothing) }},
		{"resque: Handle: empty class", func() { mux.HandleFunc("", doNothing) }},
		{`resque: HandleFunc: nil function for class "B"`, func() { mux.HandleFunc("B", nil) }},
		{`resque: Handle: nil handler for class "B"`, func() { mux.Handle(resque.Route{Class: "B"}) }},
		{"resque: Use after Handle: call Use before the first class is registered", func() { mux.Use() }},
		{"resque: Use: nil middleware", func() { resque.NewMux().Use(nil) }},
	} {
		assert.PanicsWithValue(t, c.says, c.do)
	}
	assert.Equal(t, []string{"A"}, mux.Classes())
}

func TestFromContextOutsideAJob(t *testing.T) {
	t.Parallel()
	job, ok := resque.FromContext(t.Context())
	assert.False(t, ok)
	assert.Nil(t, job)
}

func TestPerformCatchesPanics(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, c := range []struct {
		name  string
		value any
		says  string
	}{
		{"text", "no", "panic: no"},
		{"error", boom, "panic: boom"},
		{"nil", nil, "panic: " + new(runtime.PanicNilError).Error()}, // Go 1.27 changed the text
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := resque.HandlerFunc(func(context.Context, *resque.Payload) error { panic(c.value) })
			err := resque.Perform(t.Context(), h, &resque.Payload{})
			require.EqualError(t, err, c.says)
			var panicked *resque.PanicError
			require.ErrorAs(t, err, &panicked)
			assert.NotEmpty(t, panicked.Stack)
			assert.Equal(t, c.value == any(boom), errors.Is(err, boom))
		})
	}
}

func TestHandlePanicsAfterTheFirstJob(t *testing.T) {
	t.Parallel()
	mux := resque.NewMux()
	nothing := func(context.Context, *resque.Payload) error { return nil }
	mux.HandleFunc("A", nothing)
	require.NoError(t, mux.Perform(t.Context(), &resque.Payload{Class: "A"}))
	assert.PanicsWithValue(t, `resque: Handle: class "B" is registered too late: register all classes before a worker runs`,
		func() { mux.HandleFunc("B", nothing) })
}
