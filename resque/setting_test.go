package resque_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

func TestSettingsThatCannotWorkPanic(t *testing.T) {
	t.Parallel()
	for want, settings := range map[string][]resque.Setting{
		`resque: class "Exporter": setting 1: Timeout must be more than 0`: {resque.Timeout(-time.Second)},
		`resque: class "Exporter": setting 2: Timeout given twice`:         {resque.Timeout(time.Hour), resque.Timeout(time.Minute)},
		`resque: class "Exporter": setting 1: nil setting`:                 {nil},
	} {
		assert.PanicsWithValue(t, want, func() { resque.Define0("Exporter", "exports", settings...) })
		assert.PanicsWithValue(t, want, func() {
			resque.NewMux().HandleFunc("Exporter", func(context.Context, *resque.Payload) error { return nil }, settings...)
		})
	}
	for name, hook := range map[string]resque.Setting{
		"BeforeEnqueue": resque.BeforeEnqueue(nil), "AfterEnqueue": resque.AfterEnqueue(nil),
		"BeforeDequeue": resque.BeforeDequeue(nil), "AfterDequeue": resque.AfterDequeue(nil),
		"BeforePerform": resque.BeforePerform(nil), "AfterPerform": resque.AfterPerform(nil),
		"AroundPerform": resque.AroundPerform(nil), "OnFailure": resque.OnFailure(nil),
	} {
		assert.PanicsWithValue(t, `resque: class "Exporter": setting 1: nil hook`,
			func() { resque.Define0("Exporter", "exports", hook) }, name)
	}
	noop := resque.Define0("A", "q").Handler(func(context.Context) error { return nil })
	assert.PanicsWithValue(t, `resque: Use: nil middleware for class "A"`, func() { noop.Use(nil) })
	assert.PanicsWithValue(t, `resque: OnFailure: nil hook for class "A"`, func() { noop.OnFailure(nil) })
}

// Perform hooks are settings of the class and run inside of the mux's middleware.
func TestSettingsOfADefinitionPerform(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	var calls []string
	note := func(name string) resque.HandlerFunc {
		return func(context.Context, *resque.Payload) error {
			calls = append(calls, name)
			return nil
		}
	}
	settings := []resque.Setting{
		resque.BeforePerform(note("first")), resque.BeforePerform(note("second")), resque.AfterPerform(note("never")),
		resque.OnFailure(func(_ context.Context, job *resque.Payload, err error) error {
			calls = append(calls, job.Class+" failed: "+err.Error())
			return nil
		}),
	}
	mux := resque.NewMux()
	mux.Use(resque.BeforePerform(note("mux")))
	mux.Handle(resque.Define0("Defined", "q", settings...).Handler(func(context.Context) error { return boom }))
	mux.HandleFunc("Plain", func(context.Context, *resque.Payload) error { return boom }, settings...)
	mux.Handle(resque.Define0("Raw", "q", settings...).UncheckedHandler(func(context.Context, *resque.Payload) error { return boom }))
	for _, class := range []string{"Defined", "Plain", "Raw"} {
		calls = nil
		_, err := inline(t, mux).Enqueue(t.Context(), resque.Job{Queue: "q", Class: class})
		require.ErrorIs(t, err, boom)
		assert.Equal(t, []string{"mux", "first", "second", class + " failed: boom"}, calls)
	}
}

func TestNewRefusesNilHooks(t *testing.T) {
	t.Parallel()
	_, err := resque.New(nil, resque.Config{
		Inline: resque.NewMux(), JSON: 99,
		EnqueueHooks: []resque.EnqueueMiddleware{nil}, DequeueHooks: []resque.DequeueMiddleware{nil},
	})
	require.ErrorContains(t, err, "unknown JSON profile")
	require.ErrorContains(t, err, "resque: Config.EnqueueHooks has a nil hook")
	require.ErrorContains(t, err, "resque: Config.DequeueHooks has a nil hook")
}

func TestJobToAnotherQueue(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	client := s.Client(t)
	job := Exporter.Job(42)
	_, err := client.EnqueueAll(t.Context(), []resque.Job{job.To("urgent"), job})
	require.NoError(t, err)
	_, err = client.Enqueue(t.Context(), job.To("urgent"))
	require.NoError(t, err)
	sizes, err := client.QueueSizes(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 2, sizes["urgent"])
	assert.EqualValues(t, 1, sizes["exports"], "To returns a copy")
}

func TestMuxQueues(t *testing.T) {
	t.Parallel()
	mux := resque.NewMux()
	assert.Empty(t, mux.Queues())
	for class, queue := range map[string]string{"A": "mails", "B": "exports", "C": "mails"} {
		mux.Handle(resque.Define0(class, queue).Handler(func(context.Context) error { return nil }))
	}
	mux.HandleFunc("Plain", func(context.Context, *resque.Payload) error { return nil })
	assert.Equal(t, []string{"exports", "mails"}, mux.Queues())
}
