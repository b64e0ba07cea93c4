package resque_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

func TestReceiptSaysWhatBecameOfAJob(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		boom := errors.New("boom")
		mux := resque.NewMux()
		mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error { return nil })
		inlineClient, err := resque.New(nil, resque.Config{Inline: mux})
		require.NoError(t, err)
		veto := resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) { return false, nil })
		refuse := resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) { return true, boom })
		after := resque.AfterEnqueue(func(context.Context, resque.Job) error { return boom })
		silent := resque.EnqueueMiddleware(func(resque.EnqueueFunc) resque.EnqueueFunc {
			return func(context.Context, resque.Job) (resque.Receipt, error) { return resque.Receipt{}, nil }
		})
		define := func(settings ...resque.Setting) resque.Job {
			return resque.Define1[int]("Exporter", "exports", settings...).Job(1)
		}
		for name, c := range map[string]struct {
			client *resque.Client
			job    resque.Job
			want   resque.Receipt
			err    error
		}{
			"queued":                   {s.Client(t), define(), resque.Receipt{State: resque.Queued, Queue: "exports"}, nil},
			"queued elsewhere":         {s.Client(t), define().To("urgent"), resque.Receipt{State: resque.Queued, Queue: "urgent"}, nil},
			"performed":                {inlineClient, define(), resque.Receipt{State: resque.Performed, Queue: "exports"}, nil},
			"vetoed":                   {s.Client(t), define(veto), resque.Receipt{State: resque.Vetoed, Queue: "exports"}, nil},
			"a middleware's own veto":  {s.Client(t), define(silent), resque.Receipt{State: resque.Vetoed, Queue: "exports"}, nil},
			"a hook's error":           {s.Client(t), define(refuse), resque.Receipt{}, boom},
			"an error after enqueuing": {s.Client(t), define(after), resque.Receipt{State: resque.Queued, Queue: "exports"}, boom},
		} {
			receipt, err := c.client.Enqueue(t.Context(), c.job)
			require.ErrorIs(t, err, c.err, name)
			assert.Equal(t, c.want, receipt, name)
			if name == "an error after enqueuing" {
				continue // EnqueueAll returns its error as a BulkError
			}
			receipts, err := c.client.EnqueueAll(t.Context(), []resque.Job{c.job, c.job})
			require.ErrorIs(t, err, c.err, name)
			assert.Equal(t, resque.Receipts{c.want, c.want}, receipts, name)
		}
	})
}

// The receipts show which jobs are queued even if the chunk failed.
func TestReceiptsOfAChunkThatFailedInPart(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		_, err := s.Conn(t).Do("SET", "resque:queue:b", "not a list")
		require.NoError(t, err)
		job := func(queue string) resque.Job { return resque.Job{Queue: queue, Class: "A"} }
		veto := resque.Define0("V", "a", resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) { return false, nil }))
		receipts, err := s.Client(t).EnqueueAll(t.Context(), []resque.Job{job("a"), job("b"), veto.Job(), job("a")})
		var bulk *resque.BulkError
		require.ErrorAs(t, err, &bulk)
		queued := resque.Receipt{State: resque.Queued, Queue: "a"}
		assert.Equal(t, resque.Receipts{queued, {}, {State: resque.Vetoed, Queue: "a"}, queued}, receipts)
		assert.Equal(t, 2, receipts.Enqueued())
		assert.Equal(t, 2, bulk.Queued)
		assert.Equal(t, []string{"b"}, bulk.Queues)
	})
}
