package worker_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// states are the states that OnState got, and when.
type states struct {
	mu   sync.Mutex
	told []worker.State
	at   []time.Time
}

func (s *states) tell(state worker.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told, s.at = append(s.told, state), append(s.at, time.Now())
}

func (s *states) last() (state worker.State, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.told) == 0 {
		return state, 0
	}
	return s.told[len(s.told)-1], len(s.told)
}

func (s *states) eventually(t *testing.T, want func(worker.State) bool, what string) {
	t.Helper()
	eventually(t, func() bool { state, calls := s.last(); return calls > 0 && want(state) }, what)
}

func TestOnStateGetsEachState(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		waits := make(chan struct{})
		release := sync.OnceFunc(func() { close(waits) })
		mux := resque.NewMux()
		mux.Handle(resque.Define0("Waits", "exports").Handler(func(context.Context) error {
			<-waits
			return nil
		}))
		var seen states
		w := newWorker(t, s, mux, worker.Config{
			Queues: []string{"exp*", "mail"}, Concurrency: 2, OnState: seen.tell, PollInterval: 20 * time.Millisecond,
		})
		goRun(t, w)
		t.Cleanup(release) // before the worker's, which waits for the job
		seen.eventually(t, func(s worker.State) bool {
			return assert.ObjectsAreEqual(worker.State{Queues: []string{"mail"}}, s)
		}, "idle, the pattern resolved")

		before := time.Now()
		enqueue(t, s, resque.Job{Queue: "exports", Class: "Waits"})
		seen.eventually(t, func(s worker.State) bool { return len(s.Working) == 1 && len(s.Queues) == 2 }, "a job is running, and its queue is known")
		state, _ := seen.last()
		assert.Equal(t, []string{"exports", "mail"}, state.Queues)
		job := state.Working[0]
		assert.WithinRange(t, job.Since, before, time.Now())
		job.Since = time.Time{}
		assert.Equal(t, worker.Working{Queue: "exports", Class: "Waits"}, job)

		require.NoError(t, s.Client(t).Pause(t.Context()))
		seen.eventually(t, func(s worker.State) bool { return s.Paused && len(s.Working) == 1 }, "paused by Redis, the job goes on")
		require.NoError(t, s.Client(t).Resume(t.Context()))
		seen.eventually(t, func(s worker.State) bool { return !s.Paused }, "resumed")
		w.Pause()
		seen.eventually(t, func(s worker.State) bool { return s.Paused }, "paused by its process")
		release()
		seen.eventually(t, func(s worker.State) bool { return s.Paused && len(s.Working) == 0 }, "the job is done")
		w.Resume()
		seen.eventually(t, func(s worker.State) bool { return !s.Paused }, "resumed again")
	})
}

// OnState is called a few times a second, however many jobs there are, and last with
// the final state.
func TestOnStateIsThrottled(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	var jobs []resque.Job
	for i := range 2000 {
		jobs = append(jobs, resque.Job{Queue: "mail", Class: "Mailer", Args: []any{i}})
	}
	enqueue(t, s, jobs...)
	var seen states
	w := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"mail"}, Concurrency: 8, OnState: seen.tell})
	goRun(t, w)
	c := s.Conn(t)
	eventually(t, func() bool { n, err := redis.Int(c.Do("LLEN", "resque:queue:mail")); return err == nil && n == 0 }, "all performed")
	seen.eventually(t, func(s worker.State) bool { return len(s.Working) == 0 && len(s.Queues) == 1 }, "idle in the end")
	seen.mu.Lock()
	defer seen.mu.Unlock()
	for i := 1; i < len(seen.at); i++ {
		assert.GreaterOrEqual(t, seen.at[i].Sub(seen.at[i-1]), 250*time.Millisecond)
		assert.NotEqual(t, seen.told[i-1], seen.told[i], "only what has changed is told")
	}
}

func TestPanicInOnStateIsLogged(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	var log journal
	w := newWorker(t, s, recordedMux(), worker.Config{
		Queues: []string{"mail"}, Logger: log.logger(), OnState: func(s worker.State) { panic(fmt.Sprint("no ", s.Queues)) },
	})
	goRun(t, w)
	eventually(t, func() bool { return log.count("hook=OnState") == 1 }, "the panic is told")
	enqueue(t, s, resque.Job{Queue: "mail", Class: "Mailer", Args: []any{1}})
	eventually(t, func() bool { return log.count("job done") == 1 }, "the worker goes on")
}
