package unique_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/unique"
)

// A copy of a job may have no lock, for example if its failure was requeued. When it is
// removed, the lock of an equal job stays, until that one is removed or has ended.
func TestRemovingACopyKeepsTheLockOfAnEqualJob(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]unique.Policy{
		"ResqueLock": {}, "ResqueLock, Begun": {Until: unique.Begun}, "Loner": {Style: unique.Loner}, "Loner, Done": {Style: unique.Loner, Until: unique.Done},
		"LockTimeoutLoner": {Style: unique.LockTimeoutLoner}, "Uniqueness": {Style: unique.Uniqueness},
	} {
		for _, delayed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, delayed %v", name, delayed), func(t *testing.T) {
				t.Parallel()
				redistest.Both(t, func(t *testing.T, s *redistest.Server) {
					for _, rival := range []string{"queued", "delayed", "running"} {
						if rival == "running" && name != "ResqueLock" && name != "Loner, Done" {
							continue // its lock was freed when it began
						}
						removesACopy(t, s, p, delayed, rival)
					}
				})
			})
		}
	}
}

func removesACopy(t *testing.T, s *redistest.Server, p unique.Policy, delayed bool, rival string) {
	t.Helper()
	ctx, c := t.Context(), s.Conn(t)
	_, err := c.Do("FLUSHALL")
	require.NoError(t, err)
	j := resque.Define1[int]("J", "work", p)
	mux := resque.NewMux()
	mux.Handle(j.Handler(func(context.Context, int) error { return nil }))
	client, stranger := s.Client(t).WithJobs(mux), s.Client(t)
	remove := func(delayed bool) {
		t.Helper()
		var p resque.BulkProgress
		if delayed {
			var last resque.DelayedID
			for job, err := range client.Delayed().Jobs(ctx, resque.DelayedFilter{All: true}) {
				require.NoError(t, err)
				last = job.ID
			}
			p, err = client.Delayed().Remove(ctx, resque.RemoveOptions{}, last)
		} else {
			jobs, _, err := client.Queue("work").Page(ctx, 0, 10)
			require.NoError(t, err)
			p, err = client.Queue("work").Remove(ctx, resque.RemoveOptions{}, jobs[len(jobs)-1].ID)
			require.NoError(t, err)
		}
		require.NoError(t, err)
		require.EqualValues(t, 1, p.Done)
	}

	first := j.Job(1)
	if rival == "delayed" {
		first = first.In(time.Hour)
	}
	receipt, err := client.Enqueue(ctx, first)
	require.NoError(t, err)
	require.True(t, receipt.Enqueued())
	held := lockKeys(t, c)
	require.Len(t, held, 1)
	if rival == "running" {
		_, err = c.Do("LPOP", "resque:queue:work")
		require.NoError(t, err)
		die(t, c, time.Now())
	}
	second := resque.Job{Class: "J", Queue: "work", Args: []any{1}}
	if delayed {
		second = second.In(2 * time.Hour)
	}
	_, err = stranger.Enqueue(ctx, second)
	require.NoError(t, err)

	remove(delayed)
	assert.Equal(t, held, lockKeys(t, c), "an equal job is %s", rival)
	if rival == "running" {
		_, err = client.Prune(ctx, "h:1:work", resque.PruneOptions{Handler: mux, Force: true})
		require.NoError(t, err)
	} else {
		remove(rival == "delayed")
	}
	assert.Empty(t, lockKeys(t, c), "the job that was %s is gone", rival)
}

// A client that does not know the class does not free the lock of a running job either, when
// it cancels an equal delayed job after whose time the lock still lives.
func TestCancelingADelayedCopyKeepsTheLockOfARunningJob(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		ctx, c := t.Context(), s.Conn(t)
		stranger := s.Client(t).WithJobs(resque.NewMux())
		job := resque.Job{Class: "J", Queue: "work", Args: []any{1}}
		for name, cancel := range cancels(ctx, stranger, job) {
			for _, running := range []bool{true, false} {
				_, err := c.Do("SET", "resque:lock:J-[1]", "4102444800", "EX", 7200)
				require.NoError(t, err, name)
				if running {
					die(t, c, time.Now())
				} else {
					_, err := c.Do("DEL", "resque:worker:h:1:work")
					require.NoError(t, err, name)
				}
				_, err = stranger.Enqueue(ctx, job.In(time.Hour))
				require.NoError(t, err, name)
				require.NoError(t, cancel(), name)
				assert.Equal(t, running, len(lockKeys(t, c)) == 1, "%s, running %v", name, running)
			}
		}
	})
}
