package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/batch"
	"github.com/goresque/goresque/resque/limit"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/resque/status"
	"github.com/goresque/goresque/resque/unique"
	"github.com/goresque/goresque/worker"
)

// workOneSlot performs the jobs of the queue "work" until there are none.
func workOneSlot(t *testing.T, s *redistest.Server, mux *resque.Mux) {
	t.Helper()
	w := newWorker(t, s, mux, worker.Config{Queues: []string{"work"}, UntilEmpty: true})
	require.NoError(t, <-goRun(t, w))
}

// A key that a policy uses has another type. The job fails or is done, and the worker goes
// on with the next one.
func TestKeysOfAnotherTypeEndNoWorker(t *testing.T) {
	t.Parallel()
	type options struct{ ID int }
	export := status.Define[options]("Export", "work")
	for name, spoil := range map[string][]any{
		"the status":                   {"RPUSH", "resque:status:u1", "x"},
		"the set of jobs to be killed": {"SET", "resque:_kill", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t)
			c := s.Conn(t)
			do(t, c, spoil[0].(string), spoil[1:]...)
			others := 0
			mux := resque.NewMux()
			mux.Handle(export.Handler(func(context.Context, *status.Progress, options) error { return nil }))
			mux.HandleFunc("Other", func(context.Context, *resque.Payload) error { others++; return nil })
			for _, payload := range []string{`{"class":"Export","args":["u1",{"ID":1}]}`, `{"class":"Other","args":[]}`} {
				_, err := s.Client(t).EnqueuePayload(t.Context(), "work", []byte(payload))
				require.NoError(t, err)
			}
			workOneSlot(t, s, mux)
			assert.Equal(t, 1, others)
			assert.EqualValues(t, 1, do(t, c, "LLEN", "resque:failed"), "it fails visibly")
		})
	}
}

// A key of another type uses up no attempts of a job.
func TestKeysOfAnotherTypeUseUpNoAttempts(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c := s.Conn(t)
	attempts := 0
	job := resque.Define1[int]("J", "work", unique.Policy{Style: unique.Uniqueness}, retry.Policy{Limit: 3})
	mux := resque.NewMux()
	mux.Handle(job.Handler(func(context.Context, int) error {
		attempts++
		do(t, c, "SET", "resque:resque_uniqueness:queueing:all_locks", "x")
		return errors.New("boom")
	}))
	_, err := s.Client(t).Enqueue(t.Context(), job.Job(1))
	require.NoError(t, err)
	workOneSlot(t, s, mux)
	assert.Equal(t, 4, attempts)
}

// The list of batches, or the set of queues, is of another type when the last member of a
// batch ends. The callback is enqueued at most once.
func TestBatchesWithKeysOfAnotherType(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"resque:goresque:batches", "resque:queues"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t)
			c := s.Conn(t)
			client := s.Client(t)
			mux := resque.NewMux()
			mux.HandleFunc("Member", func(context.Context, *resque.Payload) error {
				do(t, c, "DEL", key)
				do(t, c, "SET", key, "x")
				return nil
			})
			b, err := batch.New(client, batch.Config{Complete: resque.Job{Queue: "reports", Class: "Report"}})
			require.NoError(t, err)
			require.NoError(t, b.Add(t.Context(), resque.Job{Queue: "work", Class: "Member", Args: []any{1}}))
			require.NoError(t, b.Seal(t.Context()))
			workOneSlot(t, s, mux)
			assert.EqualValues(t, 1, number(t, c, "resque:stat:processed"))
			reports, _ := do(t, c, "LLEN", "resque:queue:reports").(int64)
			assert.LessOrEqual(t, reports, int64(1))
		})
	}
}

// Middleware that changes the arguments does not change which limit a job holds.
func TestLimitsAreThoseOfTheGivenArguments(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	job := resque.Define1[int]("J", "work", limit.Policy{
		Concurrency: 1, By: limit.KeyFunc(func(p *resque.Payload) string { return string(p.Args[0]) }),
	})
	mux := resque.NewMux()
	mux.Use(func(next resque.Handler) resque.Handler {
		return resque.HandlerFunc(func(ctx context.Context, p *resque.Payload) error {
			p.Args = []json.RawMessage{json.RawMessage("99")}
			return next.Perform(ctx, p)
		})
	})
	mux.Handle(job.Handler(func(context.Context, int) error { return nil }))
	_, err := s.Client(t).Enqueue(t.Context(), job.Job(1))
	require.NoError(t, err)
	workOneSlot(t, s, mux)
	assert.Empty(t, do(t, s.Conn(t), "KEYS", "resque:goresque:held:*"))
}

// A lock whose token is spelled with escapes, or is at the end of a long text, is freed.
func TestLocksOfOddJobsAreFreed(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	job := resque.Define1[string]("J", "a&b", unique.Policy{Style: unique.UniquenessWhile})
	mux := resque.NewMux()
	mux.Handle(job.Handler(func(context.Context, string) error { return nil }))
	for _, arg := range []string{"x", string(make([]byte, 70_000))} {
		_, err := s.Client(t).Enqueue(t.Context(), job.Job(arg))
		require.NoError(t, err)
	}
	w := newWorker(t, s, mux, worker.Config{Queues: []string{"a&b"}, UntilEmpty: true})
	require.NoError(t, <-goRun(t, w))
	assert.Empty(t, do(t, s.Conn(t), "KEYS", "resque:performing:*"))
}
