package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// As in Ruby, the worker is still registered when the hook runs.
func TestQueueEmptyIsCalledWhileRegistered(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	enqueue(t, s, exporters(1)...)
	var registered []resque.RegisteredWorker
	w := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}, Concurrency: 2, UntilEmpty: true, Hooks: worker.Hooks{
		QueueEmpty: func() { registered, _ = s.Client(t).Workers(t.Context()) },
	}})
	require.NoError(t, w.Run(t.Context()))
	assert.Len(t, registered, 2)
}

// Shutdown is also called if the worker was told to stop while a hook ran.
func TestShutdownIsCalledAfterASlowHook(t *testing.T) {
	t.Parallel()
	for range 10 { // it depended on chance
		s := redistest.Start(t)
		enqueue(t, s, exporters(1)...)
		d, client := &diary{}, s.Client(t)
		ctx, cancel := context.WithCancel(t.Context())
		hooks := d.hooks()
		hooks.QueueEmpty = func() {
			cancel()
			assert.Eventually(t, func() bool {
				left, err := client.Workers(t.Context())
				return err == nil && len(left) == 0
			}, time.Minute, 5*time.Millisecond, "the worker leaves")
		}
		w := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}, Hooks: hooks})
		require.NoError(t, w.Run(ctx))
		assert.Equal(t, "first, shutdown, exit", d.text())
	}
}
