package resque_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// locked is a setting and a policy that takes a lock for each job when it is pushed.
type locked struct{ err error }

func (l locked) Apply(s *resque.Settings) error     { return s.AddPolicy(l) }
func (locked) Place() policy.Place                  { return 99 }
func (locked) String() string                       { return "locked" }
func (locked) Judge([]byte, error, *policy.Verdict) {}
func (locked) End(*policy.Job, *policy.Ending)      {}
func (locked) Interrupted() bool                    { return false }
func (locked) key(class, first string) (key string) { return "resque:lock:" + class + ":" + first }

func (l locked) Push(job *policy.Job) ([]store.Effect, error) {
	lock := store.RubyLock{Key: l.key(job.Class, string(job.Args[0])), Text: "1", TTL: time.Hour}
	return lock.Taken(), l.err
}

func lockedExporter() resque.Definition1[int] {
	return resque.Define1[int]("Exporter", "exports", locked{})
}

// Every way to push a job takes its lock, or is refused.
func TestPoliciesTakePartInPushes(t *testing.T) {
	t.Parallel()
	c := redistest.Start(t).Client(t)
	for n, push := range []func(job resque.Job) (resque.Receipt, error){
		func(job resque.Job) (resque.Receipt, error) { return c.Enqueue(t.Context(), job) },
		func(job resque.Job) (resque.Receipt, error) { return c.EnqueueFront(t.Context(), job) },
		func(job resque.Job) (resque.Receipt, error) { return c.EnqueueTo(t.Context(), "other", job) },
		func(job resque.Job) (resque.Receipt, error) {
			return c.EnqueueAt(t.Context(), time.Now().Add(time.Hour), job)
		},
		func(job resque.Job) (resque.Receipt, error) { return c.EnqueueIn(t.Context(), time.Hour, job) },
		func(job resque.Job) (resque.Receipt, error) {
			all, err := c.EnqueueAll(t.Context(), []resque.Job{job})
			return all[0], err
		},
	} {
		first, err := push(lockedExporter().Job(n))
		require.NoError(t, err)
		assert.True(t, first.Enqueued(), "%d: %v", n, first)
		second, err := push(lockedExporter().Job(n))
		require.NoError(t, err)
		assert.Equal(t, resque.Duplicate, second.State, n)
		assert.Equal(t, first.Queue, second.Queue)
		assert.False(t, second.Enqueued())
	}
}

// Jobs of one queue stay in their order, whether or not policies take part.
func TestEnqueueAllKeepsTheOrderBesidePolicies(t *testing.T) {
	t.Parallel()
	c := redistest.Start(t).Client(t)
	plain := resque.Define1[int]("Plain", "exports")
	jobs := []resque.Job{
		plain.Job(0), lockedExporter().Job(1), plain.Job(2), lockedExporter().Job(1), lockedExporter().Job(3), plain.Job(4),
		plain.Job(5).In(time.Hour), lockedExporter().Job(6).In(time.Hour), lockedExporter().Job(6),
	}
	receipts, err := c.EnqueueAll(t.Context(), jobs)
	require.NoError(t, err)
	assert.Equal(t, 2, receipts.Duplicates())
	assert.Equal(t, 7, receipts.Enqueued())
	assert.Equal(t, resque.Duplicate, receipts[3].State)
	assert.Equal(t, resque.Scheduled, receipts[7].State)
	assert.Equal(t, upTo(5), numbers(t, c, "exports"))
}

// What a policy refuses is not pushed, and the other jobs of a chunk are not either.
func TestPoliciesThatFailRefuseTheJob(t *testing.T) {
	t.Parallel()
	c := redistest.Start(t).Client(t)
	broken := resque.Define1[int]("Exporter", "exports", locked{err: errors.New("no such argument")})
	_, err := c.Enqueue(t.Context(), broken.Job(1))
	require.ErrorContains(t, err, "resque: enqueueing Exporter: ")
	require.ErrorContains(t, err, "no such argument")
	receipts, err := c.EnqueueAll(t.Context(), []resque.Job{lockedExporter().Job(1), broken.Job(2)})
	var bulk *resque.BulkError
	require.ErrorAs(t, err, &bulk)
	assert.Zero(t, receipts.Enqueued())
	size, err := c.Size(t.Context(), "exports")
	require.NoError(t, err)
	assert.Zero(t, size)
}
