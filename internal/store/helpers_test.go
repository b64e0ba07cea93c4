package store_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// fixture is a store on its own server, and a connection to look at that server.
type fixture struct {
	*store.Store
	redis  redis.Conn
	server *redistest.Server
	stamp  *atomic.Int64
}

func newFixture(t testing.TB, s *redistest.Server) fixture {
	t.Helper()
	return fixture{store.New(s.Open(t)), s.Conn(t), s, new(atomic.Int64)}
}

// both runs a test against each kind of server.
func both(t *testing.T, test func(t *testing.T, f fixture)) {
	t.Helper()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) { test(t, newFixture(t, s)) })
}

func (f fixture) do(t testing.TB, command string, args ...any) any {
	t.Helper()
	reply, err := f.redis.Do(command, args...)
	require.NoError(t, err, "%s %v", command, args)
	return reply
}

func (f fixture) list(t *testing.T, key string) []string {
	t.Helper()
	items, err := redis.Strings(f.do(t, "LRANGE", key, 0, -1), nil)
	require.NoError(t, err)
	return items
}

func (f fixture) get(t *testing.T, key string) string {
	t.Helper()
	text, err := redis.String(f.do(t, "GET", key), nil)
	require.NoError(t, err, key)
	return text
}

func (f fixture) exists(t *testing.T, keys ...any) int {
	t.Helper()
	n, err := redis.Int(f.do(t, "EXISTS", keys...), nil)
	require.NoError(t, err)
	return n
}

func (f fixture) register(t testing.TB, workers ...string) {
	t.Helper()
	_, err := f.Register(t.Context(), workers, time.Unix(0, 0), store.Intervals{}, true)
	require.NoError(t, err)
}

func (f fixture) push(t testing.TB, queue string, payloads ...string) {
	t.Helper()
	for _, p := range payloads {
		require.NoError(t, f.Push(t.Context(), queue, []byte(p)))
	}
}

// slot returns a free slot with a unique run_at.
func (f fixture) slot(worker string) store.Slot {
	return store.Slot{Worker: worker, RunAt: wire.FormatRunAt(time.Unix(1_700_000_000, f.stamp.Add(1)))}
}

func (f fixture) slots(workers ...string) []store.Slot {
	slots := make([]store.Slot, len(workers))
	for i, w := range workers {
		slots[i] = f.slot(w)
	}
	return slots
}

// exchange calls Exchange, which must succeed without a fault.
func (f fixture) exchange(t testing.TB, queues []string, finished []store.Outcome, free ...store.Slot) store.Exchanged {
	t.Helper()
	x, err := f.Exchange(t.Context(), queues, finished, free)
	require.NoError(t, err)
	require.NoError(t, x.Fault)
	require.Len(t, x.Finished, len(finished))
	return x
}

// take reserves one job for worker.
func (f fixture) take(t *testing.T, worker string, queues ...string) store.Reserved {
	t.Helper()
	x := f.exchange(t, queues, nil, f.slot(worker))
	require.Len(t, x.Reserved, 1)
	return x.Reserved[0]
}

func (f fixture) done(r store.Reserved) store.Outcome {
	return store.Outcome{Worker: r.Worker, Guard: r.Guard, Effects: f.Processed(r.Worker)}
}

func (f fixture) failed(r store.Reserved, record string) store.Outcome {
	effects := append([]store.Effect{f.Fail([]byte(record))}, f.FailedCount(r.Worker)...)
	return store.Outcome{Worker: r.Worker, Guard: r.Guard, Effects: append(effects, f.Processed(r.Worker)...)}
}

func (f fixture) requeue(r store.Reserved) store.Outcome {
	return store.Outcome{Worker: r.Worker, Guard: r.Guard, Effects: f.Requeue(r.Queue, r.Payload)}
}

func recordKey(worker string) string { return "resque:worker:" + worker }

func names(format string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return all
}
