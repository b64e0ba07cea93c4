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

// slow is a mux whose job takes an hour and then hears that its time is up.
func slow() *resque.Mux {
	mux := resque.NewMux()
	mux.Handle(resque.Define0("Nightly", "nightly", resque.Timeout(time.Hour)).Handler(func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}))
	return mux
}

// What docs/testing.md says of testing/synctest: the time of handlers is fake where
// the server, which is the world outside, was started before.
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
		enqueue(t, client, Exporter.Job(1)) // and the client is good outside, too
	}
	assert.Len(t, resquetest.Enqueued(t, client, Exporter, 1), 4)
}
