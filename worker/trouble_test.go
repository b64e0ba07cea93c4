package worker_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// A server refuses calls or breaks connections for a while during jobs. The worker
// continues, and each job is performed and counted once.
func TestWorkerSurvivesFaultsOfRedis(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		begin, end [][]any
	}{
		{name: "READONLY", begin: [][]any{{"REPLICAOF", "127.0.0.1", "1"}}, end: [][]any{{"REPLICAOF", "NO", "ONE"}}},
		{name: "OOM", begin: [][]any{{"CONFIG", "SET", "maxmemory", "1"}}, end: [][]any{{"CONFIG", "SET", "maxmemory", "0"}}},
		{name: "NOSCRIPT", begin: [][]any{{"SCRIPT", "FLUSH"}}},
		{name: "CLIENT KILL", begin: [][]any{{"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}, {"CLIENT", "KILL", "TYPE", "pubsub"}}},
		{name: "CLIENT PAUSE", begin: [][]any{{"CLIENT", "PAUSE", 300}}},
		{name: "MAXCLIENTS", begin: [][]any{{"CONFIG", "SET", "maxclients", "1"}, {"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}}, end: [][]any{{"CONFIG", "SET", "maxclients", "100"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t)
			c := s.Conn(t)
			const jobs = 300
			enqueue(t, s, exporters(jobs)...)
			var performed atomic.Int64
			begun := make(chan struct{}) // the trouble
			mux := resque.NewMux()
			mux.Handle(resque.Define1[int64]("Exporter", "exports").Handler(func(_ context.Context, id int64) error {
				if performed.Add(1) > 60 {
					<-begun
				}
				if id%10 == 0 {
					return raised{"RuntimeError", "every tenth"}
				}
				return nil
			}))
			log := &journal{}
			w := newWorker(t, s, mux, worker.Config{
				Queues: []string{"exports"}, Concurrency: 3, PollInterval: 50 * time.Millisecond, Logger: log.logger(),
				HeartbeatInterval: 100 * time.Millisecond,
			})
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- w.Run(ctx) }()
			eventually(t, func() bool { return performed.Load() > 50 }, "jobs are performed")
			for _, command := range test.begin {
				do(t, c, command[0].(string), command[1:]...)
			}
			close(begun)
			select {
			case err := <-ended:
				require.NoError(t, err)
				require.Fail(t, "the worker ended")
			case <-time.After(500 * time.Millisecond):
			}
			for _, command := range test.end {
				do(t, c, command[0].(string), command[1:]...)
			}
			eventually(t, func() bool { return number(t, c, "resque:stat:processed") == jobs }, "all jobs are performed")
			stop()
			require.NoError(t, <-ended)
			assert.EqualValues(t, jobs, performed.Load(), "each once")
			requireFinished(t, s, jobs, jobs/10)
			assert.LessOrEqual(t, log.count("redis is away"), 3, "told once")
		})
	}
}
