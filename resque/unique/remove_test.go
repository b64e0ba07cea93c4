package unique_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/unique"
)

// Every way to remove a job frees its lock, and only its lock.
func TestRemovingJobsFreesTheirLocks(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]unique.Policy{
		"ResqueLock": {}, "Loner": {Style: unique.Loner}, "LockTimeoutLoner": {Style: unique.LockTimeoutLoner}, "Uniqueness": {Style: unique.Uniqueness},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) { removals(t, s, p) })
		})
	}
}

func removals(t *testing.T, s *redistest.Server, p unique.Policy) {
	t.Helper()
	c, plain := s.Conn(t), s.Client(t)
	j := resque.Define1[int]("J", "work", p)
	mux := resque.NewMux()
	mux.Handle(j.Handler(func(context.Context, int) error { return nil }))
	client := plain.WithJobs(mux)
	ctx := t.Context()
	in := func(job resque.Job) resque.Job { return job.In(time.Hour) }
	same := func(job resque.Job) resque.Job { return job }
	for name, remove := range map[string]struct {
		prepare func(resque.Job) resque.Job
		do      func() error
		left    int
	}{
		"Dequeue":      {same, func() error { _, _, err := plain.Dequeue(ctx, j.Job(1)); return err }, 1},
		"DequeueClass": {same, func() error { _, _, err := plain.DequeueClass(ctx, j.AnyJob()); return err }, 0},
		"Queue.Remove": {same, func() error {
			jobs, _, err := client.Queue("work").Page(ctx, 0, 1)
			require.NoError(t, err)
			_, err = client.Queue("work").Remove(ctx, resque.RemoveOptions{Keep: time.Hour}, jobs[0].ID)
			return err
		}, 1},
		"Queue.Clear":   {same, func() error { _, err := client.Queue("work").Clear(ctx, resque.RemoveOptions{}); return err }, 0},
		"RemoveQueue":   {same, func() error { _, _, err := client.RemoveQueue(ctx, "work"); return err }, 0},
		"RemoveDelayed": {in, func() error { _, err := plain.RemoveDelayed(ctx, j.Job(1)); return err }, 1},
		"Delayed.RemoveAll": {in, func() error {
			_, err := client.Delayed().RemoveAll(ctx, resque.RemoveOptions{}, resque.DelayedFilter{All: true}, nil)
			return err
		}, 0},
	} {
		receipts, err := client.EnqueueAll(ctx, []resque.Job{remove.prepare(j.Job(1)), remove.prepare(j.Job(2))})
		require.NoError(t, err, name)
		require.Equal(t, 2, receipts.Enqueued(), name)
		require.NoError(t, remove.do(), name)
		assert.Len(t, lockKeys(t, c), remove.left, name)
		_, err = c.Do("FLUSHALL")
		require.NoError(t, err)
	}
}
