package resquetest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/resquetest"
	"github.com/goresque/goresque/worker"
)

// slow returns a mux whose job runs until its timeout of an hour.
func slow() *resque.Mux {
	mux := resque.NewMux()
	mux.Handle(resque.Define0("Nightly", "nightly", resque.Timeout(time.Hour)).Handler(func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}))
	return mux
}

// As docs/testing.md explains, handlers have the fake time of testing/synctest if the
// server was started outside of the bubble.
func TestFakeTime(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	enqueue(t, client, Exporter.Job(1))
	for name, perform := range map[string]func(t *testing.T) error{
		"PerformAll": func(t *testing.T) error {
			t.Helper()
			return resquetest.PerformAll(t, client, slow(), "nightly")
		},
		"RunUntilIdle": func(t *testing.T) error {
			t.Helper()
			return resquetest.RunUntilIdle(t, client, slow(), worker.Config{Queues: []string{"nightly"}, Concurrency: 2, MaxWaiting: -1})
		},
		"inline": func(t *testing.T) error {
			t.Helper()
			inline, err := resque.New(nil, resque.Config{Inline: slow()})
			require.NoError(t, err)
			_, err = inline.Enqueue(t.Context(), Nightly.Job())
			return err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			if name != "inline" {
				enqueue(t, client, Nightly.Job())
			}
			start := time.Now()
			err := perform(t)
			var timeout *resque.TimeoutError
			require.ErrorAs(t, err, &timeout, name)
			assert.Equal(t, time.Hour, time.Since(start), name)
			if name != "inline" {
				resquetest.RequireFailed(t, client, Nightly)
			}
		})
		enqueue(t, client, Exporter.Job(1)) // the client also works outside of the bubble
	}
	assert.Len(t, resquetest.Enqueued(t, client, Exporter, 1), 4)
}
