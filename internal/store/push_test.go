package store_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

// locking returns a job whose push takes a lock.
func (f fixture) locking(queue, payload, key string) store.Pushing {
	return store.Pushing{
		Delayed: store.Delayed{Queue: queue, Payload: []byte(payload)},
		Effects: store.RubyLock{Key: key, TTL: time.Hour, Seconds: 3601, Time: true}.Taken(),
	}
}

func (f fixture) pttl(t *testing.T, key string) time.Duration {
	t.Helper()
	ms, err := redis.Int64(f.do(t, "PTTL", key), nil)
	require.NoError(t, err)
	return time.Duration(ms) * time.Millisecond
}

func (f fixture) second(t *testing.T) int64 {
	t.Helper()
	now, err := f.Now(t.Context())
	require.NoError(t, err)
	return now.Unix()
}

func TestPushTakesLocks(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		before := f.second(t)
		pushed, err := f.PushWith(t.Context(), f.locking("q", "1", "resque:lock:a"))
		require.NoError(t, err)
		assert.Equal(t, store.PushedNow, pushed)
		until, err := strconv.ParseInt(f.get(t, "resque:lock:a"), 10, 64)
		require.NoError(t, err)
		assert.True(t, until >= before+3601 && until <= f.second(t)+3601, "%d", until)
		assert.LessOrEqual(t, f.pttl(t, "resque:lock:a"), time.Hour)
		assert.Positive(t, f.pttl(t, "resque:lock:a"))

		front := f.locking("q", "0", "resque:lock:b")
		front.Front = true
		results, errs := f.PushAllWith(t.Context(), []store.Pushing{
			f.locking("q", "1", "resque:lock:a"), front, f.locking("q2", "2", "resque:lock:c"), f.locking("q2", "2", "resque:lock:c"),
		})
		assert.Equal(t, []error{nil, nil, nil, nil}, errs)
		assert.Equal(t, []store.Pushed{store.PushedRefused, store.PushedNow, store.PushedNow, store.PushedRefused}, results)
		assert.Equal(t, []string{"0", "1"}, f.list(t, "resque:queue:q"))
		assert.Equal(t, []string{"2"}, f.list(t, "resque:queue:q2"))
	})
}

// Locks of Ruby are free after their second, and not before.
func TestPushReadsLocksOfRuby(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		now := f.second(t)
		for text, want := range map[string]store.Pushed{
			strconv.FormatInt(now-1, 10):    store.PushedNow,
			strconv.FormatInt(now+1000, 10): store.PushedRefused,
			"true":                          store.PushedRefused,
		} {
			f.do(t, "SET", "resque:lock:a", text)
			pushed, err := f.PushWith(t.Context(), f.locking("q", "1", "resque:lock:a"))
			require.NoError(t, err)
			assert.Equal(t, want, pushed, text)
		}
		only := f.locking("q", "1", "")
		only.Effects = []store.Effect{store.RubyLock{Key: "resque:lock:x"}.Unheld()}
		pushed, err := f.PushWith(t.Context(), only)
		require.NoError(t, err)
		assert.Equal(t, store.PushedNow, pushed)
		assert.Zero(t, f.exists(t, "resque:lock:x"), "it only looks")
		f.do(t, "SET", "resque:lock:x", "1")
		pushed, err = f.PushWith(t.Context(), only)
		require.NoError(t, err)
		assert.Equal(t, store.PushedRefused, pushed)
	})
}

func TestPushDelaysWithLocks(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		later, past := f.locking("q", `{"args":[],"queue":"q"}`, "resque:lock:a"), f.locking("q", `{"args":[],"queue":"q"}`, "resque:lock:b")
		due := f.second(t) + 7200
		later.Due, past.Due = due, 1
		later.CutFrom, later.CutTo, past.CutFrom, past.CutTo = 10, 22, 10, 22
		results, errs := f.PushAllWith(t.Context(), []store.Pushing{later, past, later})
		assert.Equal(t, []error{nil, nil, nil}, errs)
		assert.Equal(t, []store.Pushed{store.PushedLater, store.PushedNow, store.PushedRefused}, results)
		assert.Equal(t, strconv.FormatInt(due+3601, 10), f.get(t, "resque:lock:a"))
		assert.Greater(t, f.pttl(t, "resque:lock:a"), 2*time.Hour)
		assert.Equal(t, []string{`{"args":[]}`}, f.list(t, "resque:queue:q"))
		seconds, err := f.ScheduledAt(t.Context(), later.Payload)
		require.NoError(t, err)
		assert.Equal(t, []int64{due}, seconds)
	})
}

// The script gets the name of a queue only if the job before it is for another one.
func TestPushesOfDifferentKindsKeepTheirQueuesAndOrder(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		due := f.locking("q2", `{"args":[],"queue":"q2"}`, "resque:lock:due")
		due.Due, due.CutFrom, due.CutTo = 1, 10, 23
		later := due
		later.Due, later.Effects = f.second(t)+7200, nil
		front := f.locking("q", "front", "resque:lock:front")
		front.Front = true
		plain := store.Pushing{Delayed: store.Delayed{Queue: "q2", Payload: []byte("plain")}}
		results, errs := f.PushAllWith(t.Context(), []store.Pushing{
			f.locking("q", "1", "resque:lock:1"), f.locking("q", "2", "resque:lock:2"), f.locking("q", "no", "resque:lock:1"), front,
			f.locking("q", "3", "resque:lock:3"), due, f.locking("q2", "4", "resque:lock:4"), later, plain,
			f.locking("q2", "5", "resque:lock:5"), plain, plain,
		})
		for _, err := range errs {
			require.NoError(t, err)
		}
		const now = store.PushedNow
		assert.Equal(t, []store.Pushed{now, now, store.PushedRefused, now, now, now, now, store.PushedLater, now, now, now, now}, results)
		assert.Equal(t, []string{"front", "1", "2", "3"}, f.list(t, "resque:queue:q"))
		assert.Equal(t, []string{`{"args":[]}`, "4", "plain", "5", "plain", "plain"}, f.list(t, "resque:queue:q2"))
		seconds, err := f.ScheduledAt(t.Context(), later.Payload)
		require.NoError(t, err)
		assert.Equal(t, []int64{later.Due}, seconds)
	})
}

// If a job cannot be pushed, its locks are free and the error names the key.
func TestPushesThatFailLeaveNoLock(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.do(t, "SET", "resque:queue:q", "a string")
		f.do(t, "RPUSH", "resque:lock:list", "a list")
		later := f.locking("q2", `{"args":[],"queue":"q2"}`, "resque:lock:b")
		later.Due = f.second(t) + 100
		f.do(t, "SET", "resque:delayed:"+strconv.FormatInt(later.Due, 10), "a string")
		_, errs := f.PushAllWith(t.Context(), []store.Pushing{
			f.locking("q", "1", "resque:lock:a"), f.locking("q2", "1", "resque:lock:list"), later, f.locking("q2", "2", "resque:lock:c"),
		})
		assert.ErrorContains(t, errs[0], `the key "resque:queue:q": WRONGTYPE`)
		assert.ErrorContains(t, errs[1], `the key "resque:lock:list": WRONGTYPE`)
		assert.ErrorContains(t, errs[2], `the key "resque:delayed:`)
		for _, err := range errs[:3] {
			assert.True(t, store.Refused(err), err)
		}
		assert.NoError(t, errs[3])
		assert.Zero(t, f.exists(t, "resque:lock:a", "resque:lock:b"))
		assert.Equal(t, []string{"2"}, f.list(t, "resque:queue:q2"))

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := f.PushWith(ctx, f.locking("q2", "1", "resque:lock:d"))
		var notSent *store.NotSentError
		assert.ErrorAs(t, err, &notSent)
	})
}

// A job frees or keeps its own lock, and not one that was taken since it began.
func TestOutcomesFreeAndKeepLocks(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		const k = "resque:lock:a"
		lock := store.RubyLock{Key: k, TTL: time.Hour, Seconds: 3601, Time: true}
		for _, c := range []struct {
			ttl, age time.Duration // of the lock, and since the job began
			frees    bool
		}{
			{time.Hour, 0, true},
			{30 * time.Minute, 29 * time.Minute, true},
			{30 * time.Minute, 31 * time.Minute, false}, // taken a minute after the job began
			{3 * time.Hour, 59 * time.Minute, true},     // of a delayed job that was performed early
			{3 * time.Hour, 61 * time.Minute, false},    // the job has outlived its lock, and a delayed job has taken it
			{0, 0, true},                                // of Ruby, without an expiry
		} {
			for _, again := range []bool{false, true} {
				set := []any{k, "x"}
				if c.ttl > 0 {
					set = append(set, "PX", c.ttl.Milliseconds())
				}
				f.do(t, "SET", set...)
				f.push(t, "q", "1")
				x := f.exchange(t, []string{"q"}, nil, f.slots("w")...)
				o := f.done(x.Reserved[0])
				due := time.Unix(f.second(t)+600, 0)
				if again {
					o.Effects = append([]store.Effect{lock.Kept(c.age, due)}, o.Effects...)
				} else {
					o.Effects = append([]store.Effect{lock.Freed(c.age)}, o.Effects...)
				}
				x = f.exchange(t, nil, []store.Outcome{o})
				assert.Equal(t, []store.FinishResult{{Ours: true}}, x.Finished)
				switch {
				case !c.frees:
					assert.Equal(t, "x", f.get(t, k))
				case again:
					assert.Equal(t, strconv.FormatInt(due.Unix()+3601, 10), f.get(t, k))
					assert.Greater(t, f.pttl(t, k), time.Hour)
				default:
					assert.Zero(t, f.exists(t, k))
				}
			}
		}
		f.do(t, "DEL", k)
		f.do(t, "RPUSH", k, "a list")
		f.push(t, "q", "1")
		x := f.exchange(t, []string{"q"}, nil, f.slots("w")...)
		o := f.done(x.Reserved[0])
		o.Effects = append([]store.Effect{lock.Freed(0)}, o.Effects...)
		assert.Equal(t, []store.FinishResult{{Ours: true}}, f.exchange(t, nil, []store.Outcome{o}).Finished)
		assert.Equal(t, []string{"a list"}, f.list(t, k), "what is not a lock stays")
	})
}
