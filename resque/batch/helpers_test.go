package batch_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/batch"
	"github.com/goresque/goresque/worker"
)

var errBoom = errors.New("boom")

// The classes of the tests: members, and the callbacks of batches.
func export(n int) resque.Job {
	return resque.Job{Queue: "exports", Class: "Exporter", Args: []any{n}}
}

func report(args ...any) resque.Job {
	return resque.Job{Queue: "reports", Class: "Report", Args: args}
}

func publish(args ...any) resque.Job {
	return resque.Job{Queue: "reports", Class: "Publish", Args: args}
}

func exports(from, to int) (jobs []resque.Job) {
	for n := from; n < to; n++ {
		jobs = append(jobs, export(n))
	}
	return jobs
}

// fixture is a client of a server and a mux whose jobs are counted.
type fixture struct {
	*redistest.Server
	client *resque.Client
	direct redis.Conn
	mux    *resque.Mux

	mu        sync.Mutex
	performed map[string]int             // by class
	fails     func(n int) error          // of exports
	during    func(context.Context, int) // is called by exports
}

func newFixture(t *testing.T, s *redistest.Server) *fixture {
	t.Helper()
	client, err := resque.New(s.Open(t), resque.Config{})
	require.NoError(t, err)
	f := &fixture{Server: s, client: client, direct: s.Conn(t), mux: resque.NewMux(), performed: map[string]int{}}
	f.mux.HandleFunc("Exporter", func(ctx context.Context, job *resque.Payload) error {
		var n int
		if err := job.Bind(&n); err != nil {
			return err
		}
		f.count("Exporter")
		if f.during != nil {
			f.during(ctx, n)
		}
		if f.fails != nil {
			return f.fails(n)
		}
		return nil
	})
	for _, class := range []string{"Report", "Publish"} {
		f.mux.HandleFunc(class, func(context.Context, *resque.Payload) error {
			f.count(class)
			return nil
		})
	}
	return f
}

func (f *fixture) count(class string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.performed[class]++
}

// times returns how often jobs of a class were performed.
func (f *fixture) times(class string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.performed[class]
}

func (f *fixture) new(t *testing.T, cfg batch.Config) *batch.Batch {
	t.Helper()
	b, err := batch.New(f.client, cfg)
	require.NoError(t, err)
	return b
}

// workOff performs the waiting jobs of queues, of all if none is given.
func (f *fixture) workOff(t *testing.T, queues ...string) {
	t.Helper()
	if len(queues) == 0 {
		queues = []string{"*"}
	}
	w, err := worker.New(f.client, f.mux, worker.Config{Queues: queues, Logger: quiet(t)})
	require.NoError(t, err)
	require.NoError(t, w.WorkOff(t.Context()))
}

func quiet(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

func (f *fixture) do(t *testing.T, command string, args ...any) any {
	t.Helper()
	reply, err := f.direct.Do(command, args...)
	require.NoError(t, err)
	return reply
}

func (f *fixture) status(t *testing.T, b *batch.Batch) batch.Status {
	t.Helper()
	s, ok, err := batch.Get(t.Context(), f.client, b.ID())
	require.NoError(t, err)
	require.True(t, ok)
	return s
}

// counts are the numbers of a batch.
type counts struct{ total, pending, failed, skipped, abandoned int64 }

func (f *fixture) requireCounts(t *testing.T, b *batch.Batch, want counts) {
	t.Helper()
	s := f.status(t, b)
	require.Equal(t, want, counts{s.Total, s.Pending, s.Failed, s.Skipped, s.Abandoned})
}

func (f *fixture) list(t *testing.T, key string) []string {
	t.Helper()
	list, err := redis.Strings(f.do(t, "LRANGE", key, 0, -1), nil)
	require.NoError(t, err)
	return list
}
