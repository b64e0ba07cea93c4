package worker_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

func failing() []resque.Job {
	return []resque.Job{{Queue: "exports", Class: "Exporter", Args: []any{13}}}
}

func TestFailureListsDecideWhereFailuresAreRecorded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		lists             resque.FailureLists
		together, byQueue int
	}{
		{0, 1, 0},
		{resque.FailuresTogether, 1, 0},
		{resque.FailuresByQueue, 0, 1},
		{resque.FailuresTogether | resque.FailuresByQueue, 1, 1},
		{resque.FailuresNowhere, 0, 0},
	} {
		t.Run(fmt.Sprint(test.lists), func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) {
				enqueue(t, s, failing()...)
				w := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}, UntilEmpty: true, FailureLists: test.lists})
				require.NoError(t, w.Run(t.Context()))
				c := s.Conn(t)
				assert.EqualValues(t, test.together, do(t, c, "LLEN", "resque:failed"))
				assert.EqualValues(t, test.byQueue, do(t, c, "LLEN", "resque:exports_failed"))
				assert.EqualValues(t, test.byQueue, do(t, c, "SISMEMBER", "resque:failed_queues", "exports_failed"))
				assert.EqualValues(t, 1, number(t, c, "resque:stat:failed"))
			})
		})
	}
}

// A backend outside Redis gets a failure before Redis does, so a crash between the two
// loses nothing.
func TestFailureBackendsGetFailuresBeforeRedis(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	enqueue(t, s, failing()...)
	c := s.Conn(t)
	var mu sync.Mutex
	var told []resque.Failure
	keep := resque.FailureBackendFunc(func(ctx context.Context, f resque.Failure) error {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, f)
		_, limited := ctx.Deadline()
		assert.True(t, limited)
		assert.EqualValues(t, 0, do(t, c, "LLEN", "resque:failed"))
		record, err := redis.String(do(t, c, "GET", "resque:worker:"+f.Worker), nil)
		assert.NoError(t, err)
		assert.Contains(t, record, `"payload":{"class":"Exporter","args":[13]}`)
		return nil
	})
	w := newWorker(t, s, recordedMux(), worker.Config{
		Queues: []string{"exports"}, UntilEmpty: true, FailureBackends: []resque.FailureBackend{keep, keep},
	})
	require.NoError(t, w.Run(t.Context()))
	require.Len(t, told, 2, "each backend once")
	assert.Equal(t, "ArgumentError", told[0].Exception)
	assert.Equal(t, "exports", told[0].Queue)
	assert.EqualValues(t, 1, do(t, c, "LLEN", "resque:failed"))
}

// A job may fail after the worker was told to stop. Its backends need a context that
// lives.
func TestFailureBackendsAreToldWhileTheWorkerStops(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	enqueue(t, s, failing()...)
	var w *worker.Worker
	stopping := make(chan struct{})
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error {
		w.Quit()
		<-stopping
		return errors.New("boom")
	})
	told := make(chan error, 1)
	w = newWorker(t, s, mux, worker.Config{
		Queues: []string{"exports"}, Hooks: worker.Hooks{Shutdown: func() { close(stopping) }},
		FailureBackends: []resque.FailureBackend{resque.FailureBackendFunc(func(ctx context.Context, _ resque.Failure) error {
			told <- ctx.Err()
			return nil
		})},
	})
	require.NoError(t, <-goRun(t, w))
	require.Len(t, told, 1)
	require.NoError(t, <-told)
}

func TestFailureBackendsDoNotStopTheWorker(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	enqueue(t, s, append(failing(), exporters(1)...)...)
	log := &journal{}
	release := make(chan struct{})
	defer close(release)
	w := newWorker(t, s, recordedMux(), worker.Config{
		Queues: []string{"exports"}, UntilEmpty: true, Logger: log.logger(),
		FailureBackends: []resque.FailureBackend{
			resque.FailureBackendFunc(func(context.Context, resque.Failure) error { return errors.New("no network") }),
			resque.FailureBackendFunc(func(context.Context, resque.Failure) error { panic("at the backend") }),
			resque.FailureBackendFunc(func(context.Context, resque.Failure) error {
				runtime.Goexit()
				return nil
			}),
			resque.FailureBackendFunc(func(context.Context, resque.Failure) error {
				<-release // it ignores its context
				return nil
			}),
		},
	})
	require.NoError(t, w.Run(t.Context()))
	assert.Equal(t, 3, log.count("a failure backend failed"))
	assert.Equal(t, 1, log.count("no network"))
	assert.Equal(t, 1, log.count("at the backend"))
	assert.Equal(t, 1, log.count("a failure backend does not answer"))
	c := s.Conn(t)
	assert.EqualValues(t, 1, do(t, c, "LLEN", "resque:failed"))
	assert.EqualValues(t, 2, number(t, c, "resque:stat:processed"))
}
