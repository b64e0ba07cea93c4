package unique_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
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

// Jobs that are restored from the trash take their locks again. One whose lock an equal job
// has by then stays in the trash.
func TestRestoredJobsTakeTheirLocks(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]unique.Policy{
		"ResqueLock": {}, "Loner": {Style: unique.Loner}, "LockTimeoutLoner": {Style: unique.LockTimeoutLoner}, "Uniqueness": {Style: unique.Uniqueness},
	} {
		for _, delayed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, delayed %v", name, delayed), func(t *testing.T) {
				t.Parallel()
				redistest.Both(t, func(t *testing.T, s *redistest.Server) { restores(t, s, p, delayed) })
			})
		}
	}
}

func restores(t *testing.T, s *redistest.Server, p unique.Policy, delayed bool) {
	t.Helper()
	ctx, c := t.Context(), s.Conn(t)
	j := resque.Define1[int]("J", "work", p)
	mux := resque.NewMux()
	mux.Handle(j.Handler(func(context.Context, int) error { return nil }))
	mux.HandleFunc("Plain", nothing)
	client := s.Client(t).WithJobs(mux)
	place := func(job resque.Job) resque.Job {
		if delayed {
			return job.In(time.Hour)
		}
		return job
	}
	plain, _ := mux.Route("Plain")
	jobs := []resque.Job{place(j.Job(1)), place(plain.Job(2).To("work")), place(j.Job(3)), place(j.Job(4))}
	receipts, err := client.EnqueueAll(ctx, jobs)
	require.NoError(t, err)
	require.Equal(t, 4, receipts.Enqueued())
	before := jobsIn(t, c, delayed)
	locks := lockKeys(t, c)
	require.Len(t, locks, 3)

	var removed resque.BulkProgress
	if delayed {
		removed, err = client.Delayed().RemoveAll(ctx, resque.RemoveOptions{Keep: time.Hour}, resque.DelayedFilter{All: true}, nil)
	} else {
		removed, err = client.Queue("work").Clear(ctx, resque.RemoveOptions{Keep: time.Hour})
	}
	require.NoError(t, err)
	require.EqualValues(t, 4, removed.Done)
	assert.Empty(t, lockKeys(t, c))

	_, err = client.Enqueue(ctx, j.Job(3)) // an equal job
	require.NoError(t, err)
	n, err := client.Restore(ctx, removed.Trash[0])
	assert.EqualValues(t, 3, n)
	var equal *resque.EqualJobsError
	require.ErrorAs(t, err, &equal)
	assert.EqualValues(t, 1, equal.Jobs)
	assert.ElementsMatch(t, locks, lockKeys(t, c), "one is the equal job's")
	n, err = client.Restore(ctx, removed.Trash[0])
	assert.Zero(t, n)
	require.ErrorAs(t, err, &equal, "it is still there")

	_, _, err = client.Dequeue(ctx, j.Job(3))
	require.NoError(t, err)
	n, err = client.Restore(ctx, removed.Trash[0])
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
	assert.ElementsMatch(t, locks, lockKeys(t, c))
	assert.ElementsMatch(t, before, jobsIn(t, c, delayed))
	_, err = client.Restore(ctx, removed.Trash[0])
	assert.ErrorIs(t, err, resque.ErrNoTrash)
}

// jobsIn returns the payloads in the queue, or the delayed ones.
func jobsIn(t *testing.T, c redis.Conn, delayed bool) (all []string) {
	t.Helper()
	keys := []string{"resque:queue:work"}
	if delayed {
		var err error
		keys, err = redis.Strings(c.Do("KEYS", "resque:delayed:*"))
		require.NoError(t, err)
	}
	for _, key := range keys {
		some, err := redis.Strings(c.Do("LRANGE", key, 0, -1))
		require.NoError(t, err)
		all = append(all, some...)
	}
	return all
}

// A client that does not know the classes frees the locks that Ruby's plugins would use for
// the jobs that it removes, and no others.
func TestRemovingJobsOfUnknownClasses(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]unique.Policy{
		"ResqueLock": {}, "Loner": {Style: unique.Loner}, "LockTimeoutLoner": {Style: unique.LockTimeoutLoner}, "Uniqueness": {Style: unique.Uniqueness},
		"none": {Style: unique.LockTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) {
				ctx, c := t.Context(), s.Conn(t)
				j := resque.Define2[int, string]("J", "work", p)
				plain := s.Client(t)
				stranger := plain.WithJobs(resque.NewMux())
				remove := map[string]func() error{
					"queue": func() error { _, _, err := stranger.RemoveQueue(ctx, "work"); return err },
					"job": func() error {
						jobs, _, err := stranger.Queue("work").Page(ctx, 0, 1)
						require.NoError(t, err)
						_, err = stranger.Queue("work").Remove(ctx, resque.RemoveOptions{}, jobs[0].ID)
						return err
					},
				}
				for how, remove := range remove {
					_, err := plain.EnqueueAll(ctx, []resque.Job{j.Job(1, "a"), j.Job(2, "é").In(time.Hour)})
					require.NoError(t, err)
					all := len(lockKeys(t, c))
					require.NoError(t, remove(), how)
					assert.Len(t, lockKeys(t, c), all/2, how)
					_, err = stranger.Delayed().RemoveAll(ctx, resque.RemoveOptions{}, resque.DelayedFilter{All: true}, nil)
					require.NoError(t, err, how)
					assert.Empty(t, lockKeys(t, c), how)
				}
			})
		})
	}
}

// Ruby requeues a failed job without a lock. When such a copy is removed, the lock of an equal
// running job stays.
func TestRemovingACopyKeepsTheLockOfARunningJob(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		ctx, c := t.Context(), s.Conn(t)
		stranger := s.Client(t).WithJobs(resque.NewMux())
		job := resque.Job{Class: "J", Queue: "work", Args: []any{1}}
		for name, remove := range map[string]func() error{
			"Dequeue": func() error { _, _, err := stranger.Dequeue(ctx, job); return err },
			"Clear":   func() error { _, err := stranger.Queue("work").Clear(ctx, resque.RemoveOptions{}); return err },
			"Remove": func() error {
				jobs, _, err := stranger.Queue("work").Page(ctx, 0, 1)
				require.NoError(t, err)
				_, err = stranger.Queue("work").Remove(ctx, resque.RemoveOptions{}, jobs[0].ID)
				return err
			},
		} {
			for _, command := range [][]any{
				{"SADD", "resque:workers", "h:1:work"},
				{"SET", "resque:worker:h:1:work", `{"queue":"work","run_at":"2026-01-15T12:34:56.000000Z","payload":{"class":"J","args":[1]}}`},
				{"SET", "resque:lock:J-[1]", "4102444800"},
			} {
				_, err := c.Do(command[0].(string), command[1:]...)
				require.NoError(t, err, name)
			}
			_, err := stranger.Enqueue(ctx, job)
			require.NoError(t, err, name)
			require.NoError(t, remove(), name)
			assert.Equal(t, []string{"lock:J-[1]"}, lockKeys(t, c), name)
			_, err = c.Do("DEL", "resque:worker:h:1:work")
			require.NoError(t, err, name)
			_, err = stranger.Enqueue(ctx, job)
			require.NoError(t, err, name)
			require.NoError(t, remove(), name)
			assert.Empty(t, lockKeys(t, c), name)
		}
	})
}

// cancels returns the ways to cancel a delayed job, if it is the only one.
func cancels(ctx context.Context, client *resque.Client, job resque.Job) map[string]func() error {
	return map[string]func() error{
		"RemoveDelayed": func() error { _, err := client.RemoveDelayed(ctx, job); return err },
		"RemoveAll": func() error {
			_, err := client.Delayed().RemoveAll(ctx, resque.RemoveOptions{}, resque.DelayedFilter{All: true}, nil)
			return err
		},
	}
}

// Ruby takes no lock for a delayed job. When such a job is canceled, the lock of an equal job
// that waits in a queue or runs stays.
func TestCancelingRubysDelayedJobsFreesNoLocks(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		ctx, c := t.Context(), s.Conn(t)
		stranger := s.Client(t).WithJobs(resque.NewMux())
		job := resque.Job{Class: "J", Queue: "work", Args: []any{1}}
		for name, cancel := range cancels(ctx, stranger, job) {
			_, err := stranger.Enqueue(ctx, job.In(time.Hour))
			require.NoError(t, err, name)
			_, err = stranger.Enqueue(ctx, job)
			require.NoError(t, err, name)
			_, err = c.Do("SET", "resque:lock:J-[1]", "4102444800")
			require.NoError(t, err, name)
			require.NoError(t, cancel(), name)
			assert.Equal(t, []string{"lock:J-[1]"}, lockKeys(t, c), name)
			_, err = stranger.Queue("work").Clear(ctx, resque.RemoveOptions{})
			require.NoError(t, err, name)
			assert.Empty(t, lockKeys(t, c), name)
		}
	})
}

// If the key of the queue has another type, no lock is taken for a job that stays in the trash.
func TestRestoringToAnotherTypeTakesNoLocks(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		ctx, c := t.Context(), s.Conn(t)
		j := resque.Define1[int]("J", "work", unique.Policy{})
		mux := resque.NewMux()
		mux.Handle(j.Handler(func(context.Context, int) error { return nil }))
		client := s.Client(t).WithJobs(mux)
		_, err := client.Enqueue(ctx, j.Job(1))
		require.NoError(t, err)
		removed, err := client.Queue("work").Clear(ctx, resque.RemoveOptions{Keep: time.Hour})
		require.NoError(t, err)
		_, err = c.Do("SET", "resque:queue:work", "x")
		require.NoError(t, err)
		_, err = client.Restore(ctx, removed.Trash[0])
		require.Error(t, err)
		assert.Empty(t, lockKeys(t, c))
		_, err = c.Do("DEL", "resque:queue:work")
		require.NoError(t, err)
		n, err := client.Restore(ctx, removed.Trash[0])
		require.NoError(t, err)
		assert.EqualValues(t, 1, n)
	})
}

// If one of the keys has another type, none of the jobs is restored, and nothing changes, also
// if the client does not know the class.
func TestRestoringIsAllOrNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		delayed   bool
		key, kind string
	}{
		{false, "resque:queues", "string"},
		{false, "resque:queue:work", "string"},
		{false, `resque:queueing:resque_uniqueness:{"class":"J","args":[2]}`, "list"},
		{false, "resque:resque_uniqueness:queueing:all_locks", "string"},
		{true, "resque:delayed_queue_schedule", "string"},
		{true, `resque:timestamps:{"class":"J","args":[2],"queue":"work"}`, "string"},
		{true, `resque:queueing:resque_uniqueness:{"class":"J","args":[3]}`, "list"},
	} {
		t.Run(fmt.Sprintf("%s, delayed %v", test.key, test.delayed), func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) {
				ctx, c := t.Context(), s.Conn(t)
				j := resque.Define1[int]("J", "work", unique.Policy{Style: unique.Uniqueness})
				mux := resque.NewMux()
				mux.Handle(j.Handler(func(context.Context, int) error { return nil }))
				client := s.Client(t).WithJobs(mux)
				var jobs []resque.Job
				for n := range 3 {
					if jobs = append(jobs, j.Job(n+1)); test.delayed {
						jobs[n] = jobs[n].In(time.Duration(n+1) * time.Hour)
					}
				}
				_, err := client.EnqueueAll(ctx, jobs)
				require.NoError(t, err)
				keep, all := resque.RemoveOptions{Keep: time.Hour}, resque.DelayedFilter{All: true}
				removed, err := client.Queue("work").Clear(ctx, keep)
				if test.delayed {
					removed, err = client.Delayed().RemoveAll(ctx, keep, all, nil)
				}
				require.NoError(t, err)
				require.EqualValues(t, 3, removed.Done)
				do := func(command string, args ...any) {
					_, err := c.Do(command, args...)
					require.NoError(t, err)
				}
				do("DEL", test.key)
				if test.kind == "list" {
					do("RPUSH", test.key, "x")
				} else {
					do("SET", test.key, "x")
				}
				before := golden.Dump(t, c)
				restorers := []*resque.Client{client}
				if !strings.Contains(test.key, "uniqueness") { // the other one takes no locks
					restorers = append(restorers, s.Client(t))
				}
				for _, client := range restorers {
					n, err := client.Restore(ctx, removed.Trash[0])
					require.ErrorContains(t, err, "WRONGTYPE")
					assert.Zero(t, n)
					assert.Equal(t, before, golden.Dump(t, c))
				}
				do("DEL", test.key)
				n, err := client.Restore(ctx, removed.Trash[0])
				require.NoError(t, err)
				assert.EqualValues(t, 3, n)
			})
		})
	}
}

// A job that is refused needs no acknowledgement of replicas.
func TestRefusedJobsDoNotWaitForReplicas(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c, ctx := s.Conn(t), t.Context()
	client, err := resque.New(s.Open(t), resque.Config{WaitReplicas: 1, WaitTimeout: time.Millisecond})
	require.NoError(t, err)
	j := resque.Define1[int]("J", "work", unique.Policy{})
	waits := func() int {
		text, err := redis.String(c.Do("INFO", "commandstats"))
		require.NoError(t, err)
		return strings.Count(text, "cmdstat_wait:calls=1,")
	}
	_, err = client.Enqueue(ctx, j.Job(1))
	require.ErrorIs(t, err, resque.ErrNotReplicated)
	require.Equal(t, 1, waits())
	receipt, err := client.Enqueue(ctx, j.Job(1))
	require.NoError(t, err)
	assert.Equal(t, resque.Duplicate, receipt.State)
	receipts, err := client.EnqueueAll(ctx, []resque.Job{j.Job(1), j.Job(1)})
	require.NoError(t, err)
	assert.Equal(t, 2, receipts.Duplicates())
	assert.Equal(t, 1, waits(), "it has waited again")
}
