package resque_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

func exporters(n int) []resque.Job {
	jobs := make([]resque.Job, n)
	for i := range jobs {
		jobs[i] = exporter(i)
	}
	return jobs
}

// numbers returns the only argument of each job in a queue.
func numbers(t *testing.T, client *resque.Client, queue string) []int {
	t.Helper()
	all := []int{}
	for _, job := range collect(t, client.Peek(t.Context(), queue, 0, -1)) {
		n := 0
		require.NoError(t, job.Bind(&n))
		all = append(all, n)
	}
	return all
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestEnqueueAllKeepsOrder(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client := s.Client(t)
		jobs := exporters(2500)
		jobs = append(jobs, resque.Job{Queue: "mail", Class: "Mailer", Args: []any{0}})
		jobs = append(jobs, exporter(2500), resque.Job{Queue: "mail", Class: "Mailer", Args: []any{1}})
		receipts, err := client.EnqueueAll(t.Context(), jobs)
		require.NoError(t, err)
		assert.Equal(t, len(jobs), receipts.Enqueued())
		assert.Equal(t, upTo(2501), numbers(t, client, "exports"))
		assert.Equal(t, upTo(2), numbers(t, client, "mail"))
		queues, err := client.Queues(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"exports", "mail"}, queues)
	})
}

func TestEnqueueAllOfNothing(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	receipts, err := s.Client(t).EnqueueAll(t.Context(), nil)
	require.NoError(t, err)
	assert.Zero(t, receipts.Enqueued())
	assert.Empty(t, golden.Dump(t, s.Conn(t)))
}

func TestEnqueueAllTakesOneRoundTripAChunk(t *testing.T) {
	t.Parallel()
	client, trips := counted(t, redistest.Start(t))
	for _, c := range []struct {
		name string
		jobs []resque.Job
		want int64
	}{
		{"a chunk", exporters(1000), 1},
		{"two and a bit", exporters(2001), 3},
		{"large payloads", []resque.Job{
			{Queue: "q", Class: "A", Args: []any{strings.Repeat("x", 2<<20)}},
			{Queue: "q", Class: "A", Args: []any{strings.Repeat("x", 1<<19)}},
			{Queue: "q", Class: "A", Args: []any{strings.Repeat("x", 1<<19)}},
			{Queue: "q", Class: "A"},
		}, 3},
	} {
		before := trips.Load()
		receipts, err := client.EnqueueAll(t.Context(), c.jobs)
		require.NoError(t, err)
		assert.Len(t, c.jobs, receipts.Enqueued())
		assert.Equal(t, c.want, trips.Load()-before, c.name)
	}
}

func TestEnqueueAllSaysHowFarItCame(t *testing.T) {
	t.Parallel()
	t.Run("a job that cannot be written", func(t *testing.T) {
		t.Parallel()
		s := redistest.StartEmbedded(t)
		client := s.Client(t)
		jobs := exporters(1300)
		jobs[1200].Args = []any{math.NaN()}
		receipts, err := client.EnqueueAll(t.Context(), jobs)
		require.EqualError(t, err, "resque: enqueueing jobs 1000 to 1200: resque: Exporter: argument 1: NaN not allowed in JSON (0 of them are queued)")
		assert.Equal(t, 1000, receipts.Enqueued())
		var bulk *resque.BulkError
		require.ErrorAs(t, err, &bulk)
		assert.Equal(t, 1000, bulk.From)
		assert.Equal(t, 1201, bulk.To)
		assert.Equal(t, []string{"exports"}, bulk.Queues)
		require.NotErrorIs(t, err, resque.ErrMaybeQueued)
		assert.Equal(t, upTo(1000), numbers(t, client, "exports"))
	})
	t.Run("a queue that Redis refuses", func(t *testing.T) {
		t.Parallel()
		s := redistest.Start(t)
		client := s.Client(t)
		redisDo(t, s, "SET", "resque:queue:text", "x")
		jobs := append(exporters(3), resque.Job{Queue: "text", Class: "A"}, exporter(3), resque.Job{Queue: "text", Class: "B"})
		receipts, err := client.EnqueueAll(t.Context(), jobs)
		require.ErrorContains(t, err, `pushing 2 jobs to queue "text": WRONGTYPE`)
		require.NotErrorIs(t, err, resque.ErrMaybeQueued)
		var bulk *resque.BulkError
		require.ErrorAs(t, err, &bulk)
		assert.Equal(t, &resque.BulkError{From: 0, To: 6, Queued: 4, Queues: []string{"text"}, Err: bulk.Err}, bulk)
		assert.Equal(t, 4, receipts.Enqueued())
		assert.Equal(t, upTo(4), numbers(t, client, "exports"))
	})
	t.Run("an answer that is lost", func(t *testing.T) {
		t.Parallel()
		s := redistest.Start(t)
		proxy := s.Proxy(t)
		client := clientOf(t, proxy.URL)
		proxy.Cut()
		receipts, err := client.EnqueueAll(t.Context(), exporters(1500))
		require.ErrorIs(t, err, resque.ErrMaybeQueued)
		assert.Zero(t, receipts.Enqueued())
		var bulk *resque.BulkError
		require.ErrorAs(t, err, &bulk)
		assert.Equal(t, 1000, bulk.To)
		assert.Equal(t, []string{"exports"}, bulk.Queues)
		if there := numbers(t, s.Client(t), "exports"); len(there) > 0 { // the connection may have broken before
			assert.Equal(t, upTo(1000), there, "all together or not at all, and the rest not tried")
		}
	})
	t.Run("Redis away", func(t *testing.T) {
		t.Parallel()
		client := clientOf(t, "redis://"+net.JoinHostPort("127.0.0.1", redistest.FreePort(t)))
		receipts, err := client.EnqueueAll(t.Context(), exporters(2))
		require.ErrorContains(t, err, "connection refused")
		require.NotErrorIs(t, err, resque.ErrMaybeQueued)
		assert.Zero(t, receipts.Enqueued())
	})
}

func TestEnqueueAllHeedsItsContext(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	ctx, cancel := context.WithCancel(t.Context())
	taken := 0
	client := hooked(t, s, resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) {
		if taken++; taken == 1500 {
			cancel()
		}
		return true, nil
	}))
	receipts, err := client.EnqueueAll(ctx, exporters(3000))
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, resque.ErrMaybeQueued)
	assert.Equal(t, 1000, receipts.Enqueued())
	assert.Len(t, numbers(t, s.Client(t), "exports"), 1000)
}

func TestEnqueueAllCallsHooks(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	var calls []string
	watched := s.Client(t)
	client := hooked(t, s,
		resque.BeforeEnqueue(func(_ context.Context, job resque.Job) (bool, error) {
			calls = append(calls, fmt.Sprint("before ", job.Args[0]))
			return job.Args[0] != 1, nil
		}),
		resque.AfterEnqueue(func(ctx context.Context, job resque.Job) error {
			n, err := watched.Size(ctx, "exports")
			calls = append(calls, fmt.Sprint("after ", job.Args[0], ", queued ", n))
			return err
		}))
	receipts, err := client.EnqueueAll(t.Context(), exporters(4))
	require.NoError(t, err)
	assert.Equal(t, 3, receipts.Enqueued(), "one was vetoed")
	assert.Equal(t, []string{
		"before 0", "before 1", "before 2", "before 3",
		"after 3, queued 3", "after 2, queued 3", "after 0, queued 3",
	}, calls)
	assert.Equal(t, []int{0, 2, 3}, numbers(t, watched, "exports"))

	calls = nil
	receipts, err = client.EnqueueAll(t.Context(), exporters(2500)) // several chunks
	require.NoError(t, err)
	assert.Equal(t, 2499, receipts.Enqueued())
	assert.Len(t, calls, 2500+2499)
}

func TestEnqueueAllWithHooksThatFail(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	at := func(n int) func(job resque.Job) error {
		return func(job resque.Job) error {
			if job.Args[0] == n {
				return boom
			}
			return nil
		}
	}
	t.Run("before", func(t *testing.T) {
		t.Parallel()
		s := redistest.StartEmbedded(t)
		var told []error
		client := hooked(t, s,
			func(next resque.EnqueueFunc) resque.EnqueueFunc {
				return func(ctx context.Context, job resque.Job) (resque.Receipt, error) {
					receipt, err := next(ctx, job)
					told = append(told, err)
					assert.Zero(t, receipt)
					return receipt, err
				}
			},
			resque.BeforeEnqueue(func(_ context.Context, job resque.Job) (bool, error) { return true, at(2)(job) }))
		receipts, err := client.EnqueueAll(t.Context(), exporters(4))
		require.ErrorIs(t, err, boom)
		assert.Zero(t, receipts.Enqueued())
		var bulk *resque.BulkError
		require.ErrorAs(t, err, &bulk)
		assert.Equal(t, 3, bulk.To)
		assert.Equal(t, []error{boom, boom, boom}, told, "the jobs before it were not sent, and their hooks know")
		assert.Empty(t, golden.Dump(t, s.Conn(t)))
	})
	t.Run("after", func(t *testing.T) {
		t.Parallel()
		s := redistest.StartEmbedded(t)
		client := hooked(t, s, resque.AfterEnqueue(func(_ context.Context, job resque.Job) error { return at(2)(job) }))
		receipts, err := client.EnqueueAll(t.Context(), exporters(1500))
		require.ErrorIs(t, err, boom)
		assert.Equal(t, 1000, receipts.Enqueued())
		var bulk *resque.BulkError
		require.ErrorAs(t, err, &bulk)
		assert.Equal(t, &resque.BulkError{To: 1000, Queued: 1000, Err: boom}, bulk)
	})
	t.Run("of one queue that Redis refuses", func(t *testing.T) {
		t.Parallel()
		s := redistest.Start(t)
		redisDo(t, s, "SET", "resque:queue:text", "x")
		told := map[string][]string{}
		client := hooked(t, s, func(next resque.EnqueueFunc) resque.EnqueueFunc {
			return func(ctx context.Context, job resque.Job) (resque.Receipt, error) {
				receipt, err := next(ctx, job)
				told[job.Queue] = append(told[job.Queue], fmt.Sprint(receipt.Enqueued(), err == nil))
				return receipt, err
			}
		})
		jobs := append(exporters(2), resque.Job{Queue: "text", Class: "A"}, exporter(2), resque.Job{Queue: "text", Class: "B"})
		receipts, err := client.EnqueueAll(t.Context(), jobs)
		require.ErrorContains(t, err, "WRONGTYPE")
		assert.Equal(t, 3, receipts.Enqueued())
		assert.Equal(t, map[string][]string{
			"exports": {"true true", "true true", "true true"}, "text": {"false false", "false false"},
		}, told, "the hooks of the jobs that are queued are told so")
	})
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		s := redistest.StartEmbedded(t)
		client := hooked(t, s, func(next resque.EnqueueFunc) resque.EnqueueFunc {
			return func(ctx context.Context, job resque.Job) (resque.Receipt, error) {
				if _, err := next(ctx, job); err != nil {
					return resque.Receipt{}, err
				}
				return next(ctx, job)
			}
		})
		_, err := client.EnqueueAll(t.Context(), exporters(2))
		require.NoError(t, err)
		assert.Equal(t, []int{0, 1, 1, 0}, numbers(t, s.Client(t), "exports"))
	})
}

func TestEnqueueAllInline(t *testing.T) {
	t.Parallel()
	var performed []string
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(_ context.Context, job *resque.Payload) error {
		performed = append(performed, string(job.Args[0]))
		if string(job.Args[0]) == "2" {
			return errors.New("boom")
		}
		return nil
	})
	receipts, err := inline(t, mux).EnqueueAll(t.Context(), exporters(5))
	require.ErrorContains(t, err, "performing Exporter inline: boom (2 of them are queued)")
	assert.Equal(t, 2, receipts.Enqueued())
	assert.Equal(t, []string{"0", "1", "2"}, performed)
}
