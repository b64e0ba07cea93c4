package unique_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/unique"
)

// states returns the states of the jobs that have locks, by key.
func states(t *testing.T, l *resque.Locks, how resque.LockListOptions) map[string]resque.LockState {
	t.Helper()
	list, err := l.List(t.Context(), how)
	require.NoError(t, err)
	found := map[string]resque.LockState{}
	for _, lock := range list.Locks {
		found[lock.Key] = lock.Holder.State
	}
	return found
}

func TestLocksAreListedWithTheirHolders(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{false, true} {
		redistest.Both(t, func(t *testing.T, s *redistest.Server) {
			ctx, c, plain := t.Context(), s.Conn(t), s.Client(t)
			lock := resque.Define2[int, string]("Lock", "work", unique.Policy{})
			timeout := resque.Define2[int, string]("A::Timeout", "work", unique.Policy{Style: unique.LockTimeoutLoner})
			loner := resque.Define2[int, string]("Loner", "work", unique.Policy{Style: unique.Loner})
			uniq := resque.Define2[int, string]("Uniq", "work", unique.Policy{Style: unique.Uniqueness, Until: unique.Done})
			mux := resque.NewMux()
			want := map[string]resque.LockState{}
			var jobs []resque.Job
			for _, d := range []resque.Definition2[int, string]{lock, timeout, loner, uniq} {
				mux.Handle(d.Handler(func(context.Context, int, string) error { return nil }))
				jobs = append(jobs, d.Job(1, "q"), d.Job(2, "d").In(time.Hour), d.Job(3, "gone"))
			}
			note := func(state resque.LockState) {
				for _, key := range lockKeys(t, c) {
					if want[key] == "" {
						want[key] = state
					}
				}
			}
			for i, state := range []resque.LockState{resque.LockQueued, resque.LockDelayed, resque.LockNoJob} {
				for n := i; n < len(jobs); n += 3 {
					_, err := plain.Enqueue(ctx, jobs[n])
					require.NoError(t, err)
				}
				note(state)
			}
			for range 4 { // the last four jobs are lost
				_, err := c.Do("RPOP", "resque:queue:work")
				require.NoError(t, err)
			}
			for _, key := range []string{"lock:A::Timeout:4-r", `performing:resque_uniqueness:{"class":"Uniq","args":[4,"r"]}`} {
				_, err := c.Do("SET", "resque:"+key, "x")
				require.NoError(t, err)
			}
			note(resque.LockRunning)
			for i, class := range []string{"A::Timeout", "Uniq"} {
				id := []string{"h~go:1:work", "h~go:2:work"}[i]
				_, err := c.Do("SADD", "resque:workers", id)
				require.NoError(t, err)
				_, err = c.Do("SET", "resque:worker:"+id, `{"queue":"work","run_at":"2026-01-15T12:34:56.000000Z","payload":{"class":"`+class+`","args":[4,"r"]}}`)
				require.NoError(t, err)
			}
			_, err := c.Do("SET", "resque:lockout", "is not a lock")
			require.NoError(t, err)

			client := plain
			if known {
				client = plain.WithJobs(mux)
			}
			assert.Len(t, want, 14)
			assert.Equal(t, want, states(t, client.Locks(), resque.LockListOptions{}))
			list, err := client.Locks().List(ctx, resque.LockListOptions{})
			require.NoError(t, err)
			for _, l := range list.Locks {
				if strings.HasPrefix(l.Key, "loners:") && l.Holder.State == resque.LockNoJob {
					assert.Empty(t, l.Class)
					continue
				}
				assert.Contains(t, []string{"Lock", "A::Timeout", "Loner", "Uniq"}, l.Class, l.Key)
			}
			few := states(t, client.Locks(), resque.LockListOptions{Jobs: 1})
			for key, state := range few {
				assert.NotEqual(t, resque.LockNoJob, state, "%s: not all jobs were looked at", key)
			}

			released, err := client.Locks().ReleaseUnheld(ctx, resque.LockListOptions{})
			require.NoError(t, err)
			assert.Len(t, released, 4)
			for key, state := range want {
				if state == resque.LockNoJob {
					delete(want, key)
				}
			}
			assert.Equal(t, want, states(t, client.Locks(), resque.LockListOptions{}))
			index, err := redis.Int(c.Do("SCARD", "resque:resque_uniqueness:queueing:all_locks"))
			require.NoError(t, err)
			assert.Equal(t, 2, index, "the set of locks")
		})
	}
}

// A class of Ruby may make the keys of its locks in its own way. Such a lock does not count as
// one without a job while there are jobs of the class.
func TestLocksWithOtherKeysStay(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		ctx, c, client := t.Context(), s.Conn(t), s.Client(t)
		for _, key := range []string{"lock:Custom-by id", "lock:Custom-[9]", "loners:queue:work:job:0123", "loners:queue:empty:job:0123"} {
			_, err := c.Do("SET", "resque:"+key, "1")
			require.NoError(t, err)
		}
		_, err := client.EnqueuePayload(ctx, "work", []byte(`{"class":"Custom","args":[1]}`))
		require.NoError(t, err)
		got := states(t, client.Locks(), resque.LockListOptions{})
		assert.Equal(t, map[string]resque.LockState{
			"lock:Custom-by id": resque.LockUnknown, "lock:Custom-[9]": resque.LockUnknown,
			"loners:queue:work:job:0123": resque.LockUnknown, "loners:queue:empty:job:0123": resque.LockNoJob,
		}, got)
		released, err := client.Locks().ReleaseUnheld(ctx, resque.LockListOptions{})
		require.NoError(t, err)
		assert.Len(t, released, 1)

		_, err = c.Do("RPUSH", "resque:lock:Odd-[1]", "a list")
		require.NoError(t, err)
		n, err := client.Locks().Release(ctx, "lock:Custom-by id", "lock:None-[1]", "queue:work", "lock:Odd-[1]")
		assert.EqualValues(t, 1, n)
		require.ErrorIs(t, err, resque.ErrNoLock)
		require.ErrorContains(t, err, `"queue:work" is not the key of a lock`)
		require.ErrorContains(t, err, "not a string")
		assert.ElementsMatch(t, []string{"lock:Custom-[9]", "loners:queue:work:job:0123", "lock:Odd-[1]"}, lockKeys(t, c))
		size, err := client.Size(ctx, "work")
		require.NoError(t, err)
		assert.EqualValues(t, 1, size)
	})
}
