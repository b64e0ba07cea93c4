package unique_test

import (
	"context"
	"crypto/md5" //nolint:gosec // the plugin's digest
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/resque/unique"
	"github.com/goresque/goresque/worker"
)

func nothing(context.Context, *resque.Payload) error { return nil }

var errBoom = errors.New("boom")

// work performs the jobs of the queue "work" until it is empty.
func work(t *testing.T, s *redistest.Server, mux *resque.Mux) {
	t.Helper()
	w, err := worker.New(s.Client(t), mux, worker.Config{Queues: []string{"work"}, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, w.Run(t.Context()))
}

// held are the locks that exist while a job is queued, performed, and after that.
type held struct{ queued, performed, after []string }

func TestStylesLockAsThePlugins(t *testing.T) {
	t.Parallel()
	const queueing, performing = `queueing:resque_uniqueness:{"class":"J","args":[1]}`, `performing:resque_uniqueness:{"class":"J","args":[1]}`
	loner := fmt.Sprintf("loners:queue:work:job:%x", md5.Sum([]byte(`{"class":"J","args":[1]}`))) //nolint:gosec // the plugin's digest
	for name, test := range map[string]struct {
		p    unique.Policy
		want held
	}{
		"ResqueLock":        {unique.Policy{}, held{[]string{"lock:J-[1]"}, []string{"lock:J-[1]"}, nil}},
		"ResqueLock, Begun": {unique.Policy{Until: unique.Begun}, held{[]string{"lock:J-[1]"}, nil, nil}},
		"Loner":             {unique.Policy{Style: unique.Loner}, held{[]string{loner}, nil, nil}},
		"Loner, Done":       {unique.Policy{Style: unique.Loner, Until: unique.Done}, held{[]string{loner}, []string{loner}, nil}},
		"LockTimeout":       {unique.Policy{Style: unique.LockTimeout}, held{nil, []string{"lock:J:1"}, nil}},
		"LockTimeoutLoner":  {unique.Policy{Style: unique.LockTimeoutLoner}, held{[]string{"loner:lock:J:1"}, []string{"lock:J:1"}, nil}},
		"Uniqueness":        {unique.Policy{Style: unique.Uniqueness}, held{[]string{queueing}, nil, nil}},
		"Uniqueness, Done":  {unique.Policy{Style: unique.Uniqueness, Until: unique.Done}, held{[]string{queueing}, []string{performing}, nil}},
		"UniquenessWhile":   {unique.Policy{Style: unique.UniquenessWhile}, held{nil, []string{performing}, nil}},
	} {
		for _, fails := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, fails %v", name, fails), func(t *testing.T) {
				t.Parallel()
				redistest.Both(t, func(t *testing.T, s *redistest.Server) {
					var got held
					c, client := s.Conn(t), s.Client(t)
					j := resque.Define1[int]("J", "work", test.p)
					mux := resque.NewMux()
					mux.Handle(j.Handler(func(context.Context, int) error {
						got.performed = lockKeys(t, s.Conn(t)) //nolint:contextcheck // of the test
						if fails {
							return errBoom
						}
						return nil
					}))
					receipt, err := client.Enqueue(t.Context(), j.Job(1))
					require.NoError(t, err)
					assert.Equal(t, resque.Queued, receipt.State)
					got.queued = lockKeys(t, c)
					again, err := client.Enqueue(t.Context(), j.Job(1).To("work"))
					require.NoError(t, err)
					assert.Equal(t, got.queued != nil, again.State == resque.Duplicate)
					if again.State == resque.Queued {
						_, err = c.Do("RPOP", "resque:queue:work")
						require.NoError(t, err)
					}
					work(t, s, mux)
					got.after = lockKeys(t, c)
					assert.Equal(t, test.want, got)
					index, err := redis.Strings(c.Do("KEYS", "resque:resque_uniqueness:*"))
					require.NoError(t, err)
					assert.Empty(t, index, "the sets of locks are empty")
				})
			})
		}
	}
}

// A job that is retried or snoozes keeps its lock until it has succeeded or failed for the
// last time.
func TestRetriesKeepTheLock(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c, client := s.Conn(t), s.Client(t)
		attempts := 0
		j := resque.Define1[int]("J", "work", unique.Policy{For: time.Minute}, retry.Policy{Limit: 3, Delay: retry.Delays(0, 0, 2*time.Hour)})
		mux := resque.NewMux()
		mux.Handle(j.Handler(func(context.Context, int) error {
			if attempts++; attempts == 1 {
				return resque.Snooze(0)
			}
			receipt, err := client.Enqueue(t.Context(), j.Job(1)) //nolint:contextcheck // of the test
			assert.NoError(t, err)
			assert.Equal(t, resque.Duplicate, receipt.State, attempts)
			return errBoom
		}))
		_, err := client.Enqueue(t.Context(), j.Job(1))
		require.NoError(t, err)
		work(t, s, mux)
		assert.Equal(t, 4, attempts)
		receipt, err := client.Enqueue(t.Context(), j.Job(1))
		require.NoError(t, err)
		assert.Equal(t, resque.Duplicate, receipt.State, "it waits for two hours")
		left, err := redis.Int64(c.Do("TTL", "resque:lock:J-[1]"))
		require.NoError(t, err)
		assert.Greater(t, left, int64(7200-60), "the lock lives for longer than the wait")

		delayed, err := client.Delayed().RunAll(t.Context(), resque.DelayedFilter{All: true}, nil)
		require.NoError(t, err)
		assert.EqualValues(t, 1, delayed.Done)
		work(t, s, mux)
		assert.Empty(t, lockKeys(t, c), "the last failure frees it")
	})
}

// A job that is busy waits or is dropped; its rival keeps its lock.
func TestBusyJobs(t *testing.T) {
	t.Parallel()
	for _, style := range []unique.Style{unique.LockTimeout, unique.LockTimeoutLoner, unique.UniquenessWhile} {
		for _, onBusy := range []unique.OnBusy{unique.Later, unique.Drop} {
			t.Run(fmt.Sprintf("style %d, OnBusy %d", style, onBusy), func(t *testing.T) {
				t.Parallel()
				redistest.Both(t, func(t *testing.T, s *redistest.Server) {
					c, client := s.Conn(t), s.Client(t)
					j := resque.Define1[int]("J", "work", unique.Policy{Style: style, OnBusy: onBusy})
					mux := resque.NewMux()
					mux.Handle(j.Handler(func(context.Context, int) error {
						t.Error("performed")
						return nil
					}))
					_, err := client.Enqueue(t.Context(), j.Job(1))
					require.NoError(t, err)
					rival := map[bool]string{true: `performing:resque_uniqueness:{"class":"J","args":[1]}`, false: "lock:J:1"}[style == unique.UniquenessWhile]
					_, err = c.Do("SET", "resque:"+rival, "true")
					require.NoError(t, err)
					work(t, s, mux)
					want := []string{rival}
					delayed, err := redis.Int(c.Do("ZCARD", "resque:delayed_queue_schedule"))
					require.NoError(t, err)
					processed, err := redis.Int(c.Do("GET", "resque:stat:processed"))
					if onBusy == unique.Drop {
						require.NoError(t, err)
						assert.Equal(t, 1, processed, "as in Ruby")
						assert.Zero(t, delayed)
					} else {
						assert.Equal(t, 1, delayed)
						assert.ErrorIs(t, err, redis.ErrNil)
						if style == unique.LockTimeoutLoner {
							want = append(want, "loner:lock:J:1")
						}
					}
					assert.ElementsMatch(t, want, lockKeys(t, c))
				})
			})
		}
	}
}

// A job that has run past its expiry does not free the lock of the job after it.
func TestAnExpiredLockIsNotFreed(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c, client := s.Conn(t), s.Client(t)
		j := resque.Define1[int]("J", "work", unique.Policy{For: time.Hour})
		mux := resque.NewMux()
		mux.Handle(j.Handler(func(context.Context, int) error { return nil }))
		_, err := client.Enqueue(t.Context(), j.Job(1))
		require.NoError(t, err)
		die(t, c, time.Now().Add(-2*time.Hour)) // it began two hours ago, and its lock has expired
		_, err = client.Prune(t.Context(), "h:1:work", resque.PruneOptions{Handler: mux, Force: true})
		require.NoError(t, err)
		assert.Equal(t, []string{"lock:J-[1]"}, lockKeys(t, c), "the job in the queue has it")
		work(t, s, mux)
		assert.Empty(t, lockKeys(t, c))
	})
}

// die writes the record of a worker that died while it performed a job that began at a
// time.
func die(t *testing.T, c redis.Conn, began time.Time) {
	t.Helper()
	record := `{"queue":"work","run_at":"` + began.UTC().Format("2006-01-02T15:04:05.000000Z") + `","payload":{"class":"J","args":[1]}}`
	for _, command := range [][]any{{"SADD", "resque:workers", "h:1:work"}, {"SET", "resque:worker:h:1:work", record}} {
		_, err := c.Do(command[0].(string), command[1:]...) //nolint:forcetypeassert // see above
		require.NoError(t, err)
	}
}

// A job whose lock was freed when it began does not free the lock of an equal job that was
// enqueued since, even if that was in the same moment.
func TestTheNextJobKeepsItsLock(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]unique.Policy{
		"ResqueLock": {Until: unique.Begun}, "Loner": {Style: unique.Loner}, "Uniqueness": {Style: unique.Uniqueness}, "LockTimeoutLoner": {Style: unique.LockTimeoutLoner},
	} {
		for _, fails := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, fails %v", name, fails), func(t *testing.T) {
				t.Parallel()
				redistest.Both(t, func(t *testing.T, s *redistest.Server) {
					c, client := s.Conn(t), s.Client(t)
					j := resque.Define1[int]("J", "next", p)
					mux := resque.NewMux()
					mux.Handle(j.Handler(func(context.Context, int) error {
						receipt, err := client.Enqueue(t.Context(), j.Job(1)) //nolint:contextcheck // of the test
						assert.NoError(t, err)
						want := resque.Queued
						if p.Style == unique.LockTimeoutLoner {
							want = resque.Duplicate // an equal job is performed
						}
						assert.Equal(t, want, receipt.State)
						if fails {
							return errBoom
						}
						return nil
					}))
					_, err := client.Enqueue(t.Context(), j.Job(1).To("work"))
					require.NoError(t, err)
					work(t, s, mux)
					if p.Style == unique.LockTimeoutLoner {
						assert.Empty(t, lockKeys(t, c))
						return
					}
					assert.Len(t, lockKeys(t, c), 1)
					receipt, err := client.Enqueue(t.Context(), j.Job(1))
					require.NoError(t, err)
					assert.Equal(t, resque.Duplicate, receipt.State)
					notes, err := redis.Strings(c.Do("KEYS", "resque:goresque:begun:*"))
					require.NoError(t, err)
					assert.Empty(t, notes)
				})
			})
		}
	}
}

// If a worker dies, the prune that removes its record frees its job's locks, or keeps them
// if the job goes back to its queue.
func TestACrashFreesTheLock(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]unique.Policy{
		"ResqueLock": {}, "LockTimeoutLoner": {Style: unique.LockTimeoutLoner}, "Loner": {Style: unique.Loner},
		"Uniqueness": {Style: unique.Uniqueness, Until: unique.Done},
	} {
		for _, limit := range []int{0, 2} {
			t.Run(fmt.Sprintf("%s, crash limit %d", name, limit), func(t *testing.T) {
				t.Parallel()
				s := redistest.Start(t)
				c, client := s.Conn(t), s.Client(t)
				j := resque.Define1[int]("J", "work", p)
				mux := resque.NewMux()
				mux.Handle(j.Handler(func(context.Context, int) error { return nil }))
				_, err := client.Enqueue(t.Context(), j.Job(1))
				require.NoError(t, err)
				_, err = c.Do("LPOP", "resque:queue:work")
				require.NoError(t, err)
				die(t, c, time.Now()) // before its job was admitted
				pruned, err := client.Prune(t.Context(), "h:1:work", resque.PruneOptions{Handler: mux, CrashLimit: limit, Force: true})
				require.NoError(t, err)
				assert.Equal(t, limit > 0, pruned.Requeued)
				receipt, err := client.Enqueue(t.Context(), j.Job(1))
				require.NoError(t, err)
				if limit == 0 {
					assert.Equal(t, resque.Queued, receipt.State)
				} else {
					assert.Equal(t, resque.Duplicate, receipt.State, "it is in its queue again")
				}
				work(t, s, mux)
				assert.Empty(t, lockKeys(t, c))
			})
		}
	}
}

// A lock key of another type refuses the job with an error that names the key, or fails the
// job. The worker goes on.
func TestLockKeysOfAnotherType(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c, client := s.Conn(t), s.Client(t)
		pushed := resque.Define1[int]("Pushed", "work", unique.Policy{})
		performed := resque.Define1[int]("Performed", "work", unique.Policy{Style: unique.LockTimeout})
		ran := 0
		mux := resque.NewMux()
		for _, d := range []resque.Definition1[int]{pushed, performed} {
			mux.Handle(d.Handler(func(context.Context, int) error { ran++; return nil }))
		}
		for _, key := range []string{"resque:lock:Pushed-[1]", "resque:lock:Performed:1"} {
			_, err := c.Do("RPUSH", key, "a list")
			require.NoError(t, err)
		}
		_, err := client.Enqueue(t.Context(), pushed.Job(1))
		require.ErrorContains(t, err, `the key "resque:lock:Pushed-[1]": WRONGTYPE`)
		require.NotErrorIs(t, err, resque.ErrMaybeQueued)
		_, err = client.EnqueuePayload(t.Context(), "work", []byte(`{"class":"Pushed","args":[1]}`)) // without its lock
		require.NoError(t, err)
		_, err = client.EnqueueAll(t.Context(), []resque.Job{performed.Job(1), performed.Job(2)})
		require.NoError(t, err)
		work(t, s, mux)
		assert.Equal(t, 2, ran)
		failed, err := redis.Strings(c.Do("LRANGE", "resque:failed", 0, -1))
		require.NoError(t, err)
		require.Len(t, failed, 1)
		assert.Contains(t, failed[0], "WRONGTYPE")
	})
}
