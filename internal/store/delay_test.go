package store_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
)

const member = `,"queue":"mail"`

// delayed returns a job for queue mail with one argument.
func delayed(due int64, arg any) store.Delayed {
	payload := fmt.Sprintf(`{"class":"Mail","args":[%v]%s,"more":1}`, arg, member)
	at := strings.Index(payload, member)
	return store.Delayed{Due: due, Queue: "mail", Payload: []byte(payload), CutFrom: at, CutTo: at + len(member)}
}

func (f fixture) now(t *testing.T) int64 {
	t.Helper()
	now, err := f.Now(t.Context())
	require.NoError(t, err)
	return now.Unix()
}

func TestDelayWritesRubysKeys(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		due := f.now(t) + 1000
		for range 2 {
			ok, err := f.Delay(t.Context(), delayed(due, 1))
			require.NoError(t, err)
			assert.True(t, ok)
		}
		second := strconv.FormatInt(due, 10)
		payload := `{"class":"Mail","args":[1],"queue":"mail","more":1}`
		assert.Equal(t, map[string]golden.Value{
			"resque:delayed:" + second:      {Type: "list", Value: []any{payload, payload}},
			"resque:timestamps:" + payload:  {Type: "set", Value: []any{"delayed:" + second}},
			"resque:delayed_queue_schedule": {Type: "zset", Value: []any{[]any{second, second}}},
		}, golden.Dump(t, f.redis))
	})
}

// Redis's clock decides what is due. The second of now has come.
func TestDelayPushesWhatIsDue(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		now := f.now(t)
		got, errs := f.DelayAll(t.Context(), []store.Delayed{
			delayed(now, 1), delayed(now+1000, 2), delayed(-1<<40, 3), delayed(now, 4),
		})
		assert.Equal(t, []bool{false, true, false, false}, got)
		assert.Equal(t, make([]error, 4), errs)
		assert.Equal(t, []string{
			`{"class":"Mail","args":[1],"more":1}`, `{"class":"Mail","args":[3],"more":1}`, `{"class":"Mail","args":[4],"more":1}`,
		}, f.list(t, "resque:queue:mail"))
		queues, err := f.Queues(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"mail"}, queues)
		assert.Equal(t, []string{string(delayed(0, 2).Payload)}, f.list(t, "resque:delayed:"+strconv.FormatInt(now+1000, 10)))
	})
}

// A key of another type refuses the jobs that need it and no others.
func TestDelayReportsEachRefusal(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		now := f.now(t)
		bad := delayed(now+1000, 2)
		f.do(t, "SET", "resque:delayed:"+strconv.FormatInt(now+2000, 10), "x")
		f.do(t, "SET", "resque:timestamps:"+string(bad.Payload), "x")
		f.do(t, "SET", "resque:queue:slow", "x")
		slow := delayed(0, 4)
		slow.Queue = "slow"
		got, errs := f.DelayAll(t.Context(), []store.Delayed{delayed(now+1000, 1), bad, delayed(now+2000, 3), slow, delayed(0, 5)})
		assert.Equal(t, []bool{true, false, false, false, false}, got)
		for i, want := range []string{"", "WRONGTYPE", "WRONGTYPE", "WRONGTYPE", ""} {
			if want == "" {
				assert.NoError(t, errs[i], i)
				continue
			}
			assert.ErrorContains(t, errs[i], want, i)
			assert.True(t, store.Refused(errs[i]), i)
		}
		assert.Len(t, f.list(t, "resque:delayed:"+strconv.FormatInt(now+1000, 10)), 1)
		assert.Len(t, f.list(t, "resque:queue:mail"), 1)
		assert.Zero(t, f.exists(t, "resque:timestamps:"+string(delayed(0, 3).Payload)))

		f.do(t, "SET", "resque:delayed_queue_schedule", "x")
		_, err := f.Delay(t.Context(), delayed(now+3000, 6))
		require.ErrorContains(t, err, "WRONGTYPE")
		assert.Zero(t, f.exists(t, "resque:delayed:"+strconv.FormatInt(now+3000, 10)))
	})
}

func TestConcurrentDelaysShareRoundTrips(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		const producers, each = 16, 50
		due := f.now(t) + 1000
		var all sync.WaitGroup
		for p := range producers {
			all.Go(func() {
				for i := range each {
					ok, err := f.Delay(t.Context(), delayed(due+int64(p%3), p*each+i))
					assert.NoError(t, err)
					assert.True(t, ok)
				}
			})
		}
		all.Wait()
		seen := 0
		for p := range 3 {
			jobs := f.list(t, "resque:delayed:"+strconv.FormatInt(due+int64(p), 10))
			last := map[int]int{}
			for _, job := range jobs {
				var n int
				_, err := fmt.Sscanf(job, `{"class":"Mail","args":[%d]`, &n)
				require.NoError(t, err)
				require.Equal(t, p, n/each%3)
				assert.Equal(t, last[n/each], n%each, "the jobs of a producer are in order, none twice")
				last[n/each] = n%each + 1
			}
			seen += len(jobs)
		}
		assert.Equal(t, producers*each, seen)
		n, err := redis.Int(f.do(t, "ZCARD", "resque:delayed_queue_schedule"), nil)
		require.NoError(t, err)
		assert.Equal(t, 3, n)
	})
}

// Nothing is written if Redis has no memory left.
func TestDelayInAFullRedis(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.StartReal(t))
	now := f.now(t)
	f.do(t, "CONFIG", "SET", "maxmemory", "1")
	for _, due := range []int64{now + 1000, now} {
		_, err := f.Delay(t.Context(), delayed(due, 1))
		require.ErrorContains(t, err, "OOM")
		assert.True(t, store.Refused(err))
	}
	assert.Empty(t, golden.Dump(t, f.redis))
}
