package worker_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/batch"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/worker"
)

// newBatch returns a batch with both callbacks in the queue reports.
func newBatch(t *testing.T, s *redistest.Server) *batch.Batch {
	t.Helper()
	client, err := resque.New(s.Open(t), resque.Config{})
	require.NoError(t, err)
	b, err := batch.New(client, batch.Config{
		Complete: resque.Job{Queue: "reports", Class: "Report"}, Success: resque.Job{Queue: "reports", Class: "Publish"},
	})
	require.NoError(t, err)
	return b
}

func requireBatch(t *testing.T, s *redistest.Server, b *batch.Batch, want batch.Status) {
	t.Helper()
	client, err := resque.New(s.Open(t), resque.Config{})
	require.NoError(t, err)
	got, ok, err := batch.Get(t.Context(), client, b.ID())
	require.NoError(t, err)
	require.True(t, ok)
	assert.Equal(t, []int64{want.Total, want.Pending, want.Failed}, []int64{got.Total, got.Pending, got.Failed})
}

// A connection breaks at each exchange, before Redis has it or before its reply arrives,
// while members succeed, fail and are retried. Each member counts once, and the callback
// is enqueued once.
func TestMembersCountOnceWhenAConnectionBreaks(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fate{"before the request": cut, "before the reply": swallow} {
		for _, slots := range []int{1, 4} {
			for k := 1; k <= 10; k++ {
				t.Run(fmt.Sprintf("%s, %d slots, call %d", name, slots, k), func(t *testing.T) {
					t.Parallel()
					server := redistest.StartReal(t)
					b := newBatch(t, server)
					for i := range 6 {
						class := []string{"Flaky", "Fails", "Exporter"}[i%3]
						require.NoError(t, b.Add(t.Context(), resque.Job{Queue: "exports", Class: class, Args: []any{i}}))
					}
					require.NoError(t, b.Seal(t.Context()))
					var calls, flaky atomic.Int64
					behind := relayTo(t, server, func(request []string) fate {
						if isExchange(request) && calls.Add(1) == int64(k) {
							return f
						}
						return pass
					})
					mux := resque.NewMux()
					mux.HandleFunc("Flaky", func(context.Context, *resque.Payload) error {
						if flaky.Add(1) <= 4 {
							return errBoom
						}
						return nil
					}, retry.Policy{Limit: 9, Record: retry.LastOnly})
					mux.HandleFunc("Fails", func(context.Context, *resque.Payload) error { return errBoom })
					mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error { return nil })
					w := newWorker(t, behind, mux, worker.Config{Queues: []string{"exports"}, Concurrency: slots, UntilEmpty: true})
					require.NoError(t, <-goRun(t, w))
					requireBatch(t, server, b, batch.Status{Total: 6, Failed: 2})
					c := server.Conn(t)
					assert.EqualValues(t, 1, do(t, c, "LLEN", "resque:queue:reports"), "only Complete")
					assert.EqualValues(t, 2, do(t, c, "LLEN", "resque:failed"))
					requireGone(t, c)
				})
			}
		}
	}
}

// A pruned worker's member has failed, unless it is requeued.
func TestTheMemberOfADeadWorkerFails(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		for limit, want := range map[int]batch.Status{0: {Total: 1, Failed: 1}, 3: {Total: 1, Pending: 1}} {
			b := newBatch(t, s)
			require.NoError(t, b.Add(t.Context(), resque.Job{Queue: "exports", Class: "Exporter"}))
			require.NoError(t, b.Seal(t.Context()))
			c := s.Conn(t)
			payload := do(t, c, "LPOP", "resque:queue:exports")
			do(t, c, "SADD", "resque:workers", "gone:1:exports")
			do(t, c, "SET", "resque:worker:gone:1:exports", fmt.Sprintf(`{"queue":"exports","run_at":"2026-01-01T00:00:00Z","payload":%s}`, payload))
			client, err := resque.New(s.Open(t), resque.Config{})
			require.NoError(t, err)
			_, err = client.Prune(t.Context(), "gone:1:exports", resque.PruneOptions{CrashLimit: limit})
			require.NoError(t, err)
			requireBatch(t, s, b, want)
			assert.EqualValues(t, want.Failed, do(t, c, "LLEN", "resque:queue:reports"))
			do(t, c, "FLUSHALL")
		}
	})
}
