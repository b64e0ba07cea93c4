package store_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
)

// aMaster is a scheduler for tests.
func aMaster(name string) store.Master { return store.Master{Token: name, TTL: time.Minute} }

func (f fixture) takeMaster(t testing.TB, m store.Master) store.Mastership {
	t.Helper()
	got, err := f.TakeMaster(t.Context(), m, 500)
	require.NoError(t, err)
	return got
}

// delay writes jobs as Ruby does. It does not look at the clock.
func (f fixture) delay(t testing.TB, second int64, payloads ...string) {
	t.Helper()
	for _, p := range payloads {
		f.do(t, "RPUSH", fmt.Sprint("resque:delayed:", second), p)
		f.do(t, "SADD", "resque:timestamps:"+p, fmt.Sprint("delayed:", second))
		f.do(t, "ZADD", "resque:delayed_queue_schedule", second, second)
	}
}

// toQueue moves jobs to a queue as they are.
func toQueue(queue string, second string, payloads ...string) store.MovedSecond {
	s := store.MovedSecond{Member: second}
	for _, p := range payloads {
		s.Jobs = append(s.Jobs, store.MovedJob{Stored: []byte(p), Queue: queue, Payload: []byte("moved " + p)})
	}
	return s
}

func TestTakeMaster(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		a, b := aMaster("a"), aMaster("b")
		now := f.now(t)
		f.delay(t, now-2, "x")
		f.delay(t, now-1, "y")
		f.delay(t, now+1000, "z")
		got := f.takeMaster(t, a)
		assert.Equal(t, "a", got.Holder)
		assert.True(t, got.Taken)
		assert.Equal(t, []string{strconv.FormatInt(now-2, 10), strconv.FormatInt(now-1, 10)}, got.Due)
		assert.Equal(t, now+1000, got.Next.Unix())
		assert.InDelta(t, now, got.Now.Unix(), 60)

		other := f.takeMaster(t, b)
		assert.Equal(t, "a", other.Holder)
		assert.Empty(t, other.Due)
		again := f.takeMaster(t, a)
		assert.False(t, again.Taken)
		assert.Len(t, again.Due, 2)

		released, err := f.ReleaseMaster(t.Context(), b)
		require.NoError(t, err)
		assert.False(t, released, "b does not hold it")
		released, err = f.ReleaseMaster(t.Context(), a)
		require.NoError(t, err)
		assert.True(t, released)
		assert.Zero(t, f.exists(t, "resque:resque:resque_scheduler_master_lock", "resque:goresque:scheduler"))
		assert.Equal(t, "b", f.takeMaster(t, b).Holder)

		prefixed := b
		prefixed.Prefix = "MyApp"
		f.takeMaster(t, prefixed)
		assert.Equal(t, "b", f.get(t, "resque:resque:MyApp:resque_scheduler_master_lock"))
	})
}

// A renewal makes the lock last again as long as at first.
func TestTakeMasterRenews(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		m := aMaster("a")
		f.takeMaster(t, m)
		const key = "resque:resque:resque_scheduler_master_lock"
		f.do(t, "PEXPIRE", key, 30_000)
		f.takeMaster(t, m)
		ttl, err := redis.Int(f.do(t, "PTTL", key), nil)
		require.NoError(t, err)
		assert.Greater(t, ttl, 30_000)
		assert.LessOrEqual(t, ttl, 60_000)
	})
}

// One step reads no more seconds than one Move may remove, and no job beyond the limit.
func TestReadDueReadsPartOfManySeconds(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		members := make([]string, store.MoveSeconds+1)
		for i := range members {
			members[i] = strconv.Itoa(i + 1)
			f.do(t, "RPUSH", "resque:delayed:"+members[i], "a", "b")
		}
		read, err := f.ReadDue(t.Context(), members, store.MoveJobs)
		require.NoError(t, err)
		require.Len(t, read, store.MoveSeconds)
		for _, second := range read {
			assert.Equal(t, [][]byte{[]byte("a"), []byte("b")}, second.Jobs)
		}
		read, err = f.ReadDue(t.Context(), members, 3)
		require.NoError(t, err)
		require.Len(t, read, 2)
		assert.Equal(t, [][]byte{[]byte("a")}, read[1].Jobs)
	})
}

func TestMoveKeepsTheOrder(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		m := aMaster("a")
		f.takeMaster(t, m)
		f.delay(t, 5, "a1", "b1", "a2")
		f.delay(t, 6, "b2", "b2", "a3")
		f.delay(t, 9) // nothing
		f.do(t, "ZADD", "resque:delayed_queue_schedule", 7, 7)
		read, err := f.ReadDue(t.Context(), []string{"5", "6", "7"}, 2000)
		require.NoError(t, err)
		require.Len(t, read, 3)
		var move store.Move
		for _, second := range read {
			require.NoError(t, second.Err)
			s := store.MovedSecond{Member: second.Member}
			for _, job := range second.Jobs {
				s.Jobs = append(s.Jobs, store.MovedJob{Stored: job, Queue: string(job[:1]), Payload: job})
			}
			move.Seconds = append(move.Seconds, s)
		}
		move.Seconds[1].Jobs = move.Seconds[1].Jobs[:2] // and the third later
		moved, err := f.Move(t.Context(), m, move)
		require.NoError(t, err)
		assert.True(t, moved)
		assert.Equal(t, []string{"a1", "a2"}, f.list(t, "resque:queue:a"))
		assert.Equal(t, []string{"b1", "b2", "b2"}, f.list(t, "resque:queue:b"))
		assert.Equal(t, []string{"a3"}, f.list(t, "resque:delayed:6"))
		seconds, _ := redis.Strings(f.do(t, "ZRANGE", "resque:delayed_queue_schedule", 0, -1), nil)
		assert.Equal(t, []string{"6"}, seconds)
		assert.Equal(t, 1, f.exists(t, "resque:timestamps:a3", "resque:timestamps:a1", "resque:timestamps:b2"))
		queues, err := f.Queues(t.Context())
		require.NoError(t, err)
		assert.ElementsMatch(t, []string{"a", "b"}, queues)
		status, err := f.ReadMaster(t.Context(), "")
		require.NoError(t, err)
		assert.Equal(t, int64(5), status.Moved)
		assert.Equal(t, int64(6), status.Oldest.Unix())

		moved, err = f.Move(t.Context(), m, move)
		require.NoError(t, err)
		assert.False(t, moved, "the reply was lost and the move is repeated")
		assert.Len(t, f.list(t, "resque:queue:b"), 3)
	})
}

func TestMoveChangesNothingUnlessAllIsAsRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, f fixture)
	}{
		{"the first job was canceled", func(t *testing.T, f fixture) { t.Helper(); f.do(t, "LREM", "resque:delayed:5", 0, "x") }},
		{"the last job was canceled", func(t *testing.T, f fixture) { t.Helper(); f.do(t, "LREM", "resque:delayed:5", 0, "y") }},
		{"the list is gone", func(t *testing.T, f fixture) { t.Helper(); f.do(t, "DEL", "resque:delayed:5") }},
		{"a job was put first", func(t *testing.T, f fixture) { t.Helper(); f.do(t, "LPUSH", "resque:delayed:5", "w") }},
		{"an empty second has a job", func(t *testing.T, f fixture) { t.Helper(); f.do(t, "RPUSH", "resque:delayed:6", "w") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, f fixture) {
				m := aMaster("a")
				f.takeMaster(t, m)
				f.delay(t, 5, "x", "y")
				f.do(t, "ZADD", "resque:delayed_queue_schedule", 6, 6)
				c.spoil(t, f)
				before := f.do(t, "DBSIZE")
				moved, err := f.Move(t.Context(), m, store.Move{Seconds: []store.MovedSecond{toQueue("q", "5", "x", "y"), {Member: "6"}}})
				require.NoError(t, err)
				assert.False(t, moved)
				assert.Equal(t, before, f.do(t, "DBSIZE"))
				assert.Zero(t, f.exists(t, "resque:queue:q", "resque:queues"))
			})
		})
	}
}

// A push behind the jobs that were read is not lost.
func TestMoveLeavesWhatWasPushedMeanwhile(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		m := aMaster("a")
		f.takeMaster(t, m)
		f.delay(t, 5, "x", "y", "late")
		moved, err := f.Move(t.Context(), m, store.Move{Seconds: []store.MovedSecond{toQueue("q", "5", "x", "y")}})
		require.NoError(t, err)
		assert.True(t, moved)
		assert.Equal(t, []string{"late"}, f.list(t, "resque:delayed:5"))
		assert.Equal(t, 1, f.exists(t, "resque:delayed_queue_schedule"))
	})
}

func TestMoveNeedsTheLock(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.delay(t, 5, "x")
		move := store.Move{Seconds: []store.MovedSecond{toQueue("q", "5", "x")}}
		_, err := f.Move(t.Context(), aMaster("a"), move)
		require.ErrorIs(t, err, store.ErrNotMaster)
		f.takeMaster(t, aMaster("b"))
		_, err = f.Move(t.Context(), aMaster("a"), move)
		require.ErrorIs(t, err, store.ErrNotMaster)
		assert.Equal(t, []string{"x"}, f.list(t, "resque:delayed:5"))
		assert.Zero(t, f.exists(t, "resque:queue:q"))
	})
}

func TestMoveToOtherLists(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		m := aMaster("a")
		f.takeMaster(t, m)
		f.delay(t, 5, "x", "bad", "keep", "keep", "y")
		jobs := toQueue("q", "5", "x", "bad", "keep", "keep", "y")
		jobs.Jobs[1].Failure = []byte("record")
		jobs.Jobs[2].Later, jobs.Jobs[3].Later = true, true
		moved, err := f.Move(t.Context(), m, store.Move{Seconds: []store.MovedSecond{jobs}, Later: 77})
		require.NoError(t, err)
		assert.True(t, moved)
		assert.Equal(t, []string{"moved x", "moved y"}, f.list(t, "resque:queue:q"))
		assert.Equal(t, []string{"record"}, f.list(t, "resque:failed"))
		assert.Equal(t, []string{"keep", "keep"}, f.list(t, "resque:delayed:77"))
		members, _ := redis.Strings(f.do(t, "SMEMBERS", "resque:timestamps:keep"), nil)
		assert.Equal(t, []string{"delayed:77"}, members)
		seconds, _ := redis.Strings(f.do(t, "ZRANGE", "resque:delayed_queue_schedule", 0, -1), nil)
		assert.Equal(t, []string{"77"}, seconds)
	})
}

func TestMoveToAKeyThatIsNotAList(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		m := aMaster("a")
		f.takeMaster(t, m)
		f.delay(t, 5, "x")
		f.delay(t, 6, "y")
		f.do(t, "SET", "resque:queue:broken", "text")
		f.do(t, "SET", "resque:timestamps:x", "text")
		move := store.Move{Seconds: []store.MovedSecond{toQueue("q", "5", "x"), toQueue("broken", "6", "y")}}
		_, err := f.Move(t.Context(), m, move)
		var not *store.NotListError
		require.ErrorAs(t, err, &not)
		assert.Equal(t, "broken", not.Queue)
		assert.Equal(t, []string{"x"}, f.list(t, "resque:delayed:5"))
		assert.Zero(t, f.exists(t, "resque:queue:q"))
		moved, err := f.Move(t.Context(), m, store.Move{Seconds: move.Seconds[:1]})
		require.NoError(t, err)
		assert.True(t, moved, "a set that is not a set is not needed")
	})
}

func TestReadDueIsBounded(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		for i := range 7 {
			f.delay(t, 5, strconv.Itoa(i))
		}
		f.do(t, "SET", "resque:delayed:6", "text")
		big := strings.Repeat("x", 700_000)
		f.delay(t, 7, big, "a"+big, "b"+big)
		f.delay(t, 8, "z")
		read, err := f.ReadDue(t.Context(), []string{"5", "6", "no number", "7", "8"}, 2000)
		require.NoError(t, err)
		require.Len(t, read, 4, "8 is not read")
		assert.Len(t, read[0].Jobs, 7)
		require.ErrorContains(t, read[1].Err, "WRONGTYPE")
		assert.Empty(t, read[2].Jobs)
		require.NoError(t, read[2].Err)
		assert.Len(t, read[3].Jobs, 2, "the one that exceeds the bound is the last")
	})
	f := newFixture(t, redistest.Start(t))
	for i := range 1100 {
		require.NoError(t, f.redis.Send("RPUSH", "resque:delayed:5", i))
	}
	f.do(t, "PING")
	read, err := f.ReadDue(t.Context(), []string{"5", "6"}, 2000)
	require.NoError(t, err)
	require.Len(t, read, 1)
	assert.Len(t, read[0].Jobs, 1000)
}

// A Redis that is full refuses the move as a whole.
func TestMoveWhenRedisIsFull(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.StartReal(t))
	m := aMaster("a")
	f.takeMaster(t, m)
	f.delay(t, 5, "x")
	f.do(t, "CONFIG", "SET", "maxmemory", 1)
	_, err := f.Move(t.Context(), m, store.Move{Seconds: []store.MovedSecond{toQueue("q", "5", "x")}})
	require.ErrorContains(t, err, "OOM")
	assert.True(t, store.Refused(err))
	assert.Equal(t, []string{"x"}, f.list(t, "resque:delayed:5"))
	f.do(t, "CONFIG", "SET", "maxmemory", 0)
	moved, err := f.Move(t.Context(), m, store.Move{Seconds: []store.MovedSecond{toQueue("q", "5", "x")}})
	require.NoError(t, err)
	assert.True(t, moved)
}
