package resque_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// waiting are the jobs of queue q, as numbers.
func waitingIn(t *testing.T, c redis.Conn, queue string) []string {
	t.Helper()
	jobs, err := redis.Strings(c.Do("LRANGE", "resque:queue:"+queue, 0, -1))
	require.NoError(t, err)
	return jobs
}

func fillQueue(t *testing.T, c redis.Conn, queue string, n int) {
	t.Helper()
	for i := range n {
		_, err := c.Do("RPUSH", "resque:queue:"+queue, fmt.Sprintf(`{"class":"A%d","args":[%d]}`, i%2, i))
		require.NoError(t, err)
	}
}

func TestQueueRemovesMovesAndRestores(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, c := s.Client(t), s.Conn(t)
		fillQueue(t, c, "q", 6)
		before := waitingIn(t, c, "q")
		q := client.Queue("q")
		jobs, size, err := q.Page(t.Context(), 1, 4)
		require.NoError(t, err)
		require.EqualValues(t, 6, size)
		require.Len(t, jobs, 4)
		assert.Equal(t, before[1], string(jobs[0].Raw))
		id, err := resque.ParseQueuedJobID(jobs[0].ID.String())
		require.NoError(t, err)
		assert.Equal(t, jobs[0].ID, id)

		_, err = c.Do("LPOP", "resque:queue:q") // a worker moves them all up
		require.NoError(t, err)
		p, err := q.Remove(t.Context(), resque.RemoveOptions{Keep: time.Hour}, jobs[0].ID, jobs[1].ID, resque.QueuedJobID{Position: 1, Digest: "0123456789abcdef"})
		require.NoError(t, err)
		assert.EqualValues(t, 2, p.Done)
		assert.EqualValues(t, 1, p.Gone)
		assert.Equal(t, before[3:], waitingIn(t, c, "q"))

		kept, err := client.Trash(t.Context())
		require.NoError(t, err)
		require.Len(t, kept, 1)
		assert.Equal(t, p.Trash, []string{kept[0].Token})
		assert.Equal(t, "q", kept[0].Queue)
		assert.True(t, kept[0].IsQueue)
		n, err := client.Restore(t.Context(), kept[0].Token)
		require.NoError(t, err)
		assert.EqualValues(t, 2, n)
		assert.Equal(t, before[1:], waitingIn(t, c, "q"))
		_, err = client.Restore(t.Context(), kept[0].Token)
		require.ErrorIs(t, err, resque.ErrNoTrash)

		p, err = q.Move(t.Context(), "other", jobs[2].ID, jobs[3].ID)
		require.NoError(t, err)
		assert.EqualValues(t, 2, p.Done)
		assert.Equal(t, before[3:5], waitingIn(t, c, "other"))
		queues, err := client.Queues(t.Context())
		require.NoError(t, err)
		assert.Contains(t, queues, "other")
		p, err = q.Clear(t.Context(), resque.RemoveOptions{})
		require.NoError(t, err)
		assert.EqualValues(t, 3, p.Done)
		assert.Empty(t, p.Trash)
		require.NoError(t, client.Queue("other").Forget(t.Context()))
		queues, err = client.Queues(t.Context())
		require.NoError(t, err)
		assert.Contains(t, queues, "other", "it is not empty")
	})
}

func TestQueueRemovesMatching(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, c := s.Client(t), s.Conn(t)
		fillQueue(t, c, "q", 130)
		odd := func(job resque.QueuedJob) bool { return bytes.Contains(job.Raw, []byte(`"A1"`)) }
		q := client.Queue("q")
		n, err := q.Count(t.Context(), odd)
		require.NoError(t, err)
		require.EqualValues(t, 65, n)
		told := 0
		p, err := q.RemoveMatching(t.Context(), resque.RemoveOptions{Keep: time.Hour}, odd, func(resque.BulkProgress) { told++ })
		require.NoError(t, err)
		assert.EqualValues(t, 65, p.Done)
		assert.Positive(t, told)
		assert.Len(t, waitingIn(t, c, "q"), 65)
		n, err = q.Count(t.Context(), odd)
		require.NoError(t, err)
		assert.Zero(t, n)
		require.NoError(t, client.TrimTrash(t.Context(), 1))
		restored, err := client.Restore(t.Context(), p.Trash[0])
		require.NoError(t, err)
		assert.EqualValues(t, 65, restored, "the last action's stay")
	})
}

// What is pushed after the removal has begun stays.
func TestRemoveMatchingLeavesWhatIsPushedMeanwhile(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, c := s.Client(t), s.Conn(t)
		fillQueue(t, c, "q", 10)
		late := []byte(`{"class":"A1","args":["late"]}`)
		every := func(resque.QueuedJob) bool { return true }
		p, err := client.Queue("q").RemoveMatching(t.Context(), resque.RemoveOptions{}, every, func(p resque.BulkProgress) {
			if p.Done == 10 {
				assert.NoError(t, client.Push(t.Context(), "q", late))
			}
		})
		require.NoError(t, err)
		assert.Equal(t, resque.BulkProgress{Total: 10, Seen: 10, Done: 10}, p)
		assert.Equal(t, []string{string(late)}, waitingIn(t, c, "q"))
	})
}

// While a part is examined, workers take jobs from the front and producers push at the
// end.
func TestRemoveMatchingWhileTheQueueMoves(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, c := s.Client(t), s.Conn(t)
		const jobs, late = 3000, 1_000_000
		fillQueue(t, c, "q", jobs)
		taken, pushed, random := map[string]bool{}, 0, rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
		move := func() {
			for range random.IntN(200) {
				raw, err := redis.String(c.Do("LPOP", "resque:queue:q"))
				if errors.Is(err, redis.ErrNil) {
					return
				}
				require.NoError(t, err)
				taken[raw] = true
			}
			for range random.IntN(20) {
				pushed++
				_, err := c.Do("RPUSH", "resque:queue:q", fmt.Sprintf(`{"class":"A0","args":[%d]}`, late+pushed))
				require.NoError(t, err)
			}
		}
		seen := 0
		odd := func(job resque.QueuedJob) bool {
			if seen++; seen%300 == 0 {
				move()
			}
			return bytes.Contains(job.Raw, []byte(`"A1"`))
		}
		p, err := client.Queue("q").RemoveMatching(t.Context(), resque.RemoveOptions{Keep: time.Hour}, odd, nil)
		require.NoError(t, err)
		require.NotEmpty(t, taken)
		left := map[string]bool{}
		for _, raw := range waitingIn(t, c, "q") {
			assert.NotContains(t, raw, "A1")
			left[raw] = true
		}
		kept, err := redis.Strings(c.Do("LRANGE", "resque:goresque:trash:"+p.Trash[0], 0, -1))
		require.NoError(t, err)
		assert.EqualValues(t, len(kept), p.Done)
		last := -1
		for _, raw := range kept {
			var job struct{ Args []int }
			require.NoError(t, json.Unmarshal([]byte(raw), &job))
			assert.Greater(t, job.Args[0], last, "the trash keeps the order")
			last = job.Args[0]
			assert.False(t, taken[raw], "taken and removed: %s", raw)
			left[raw] = true
		}
		for i := range jobs {
			raw := fmt.Sprintf(`{"class":"A%d","args":[%d]}`, i%2, i)
			assert.True(t, left[raw] != taken[raw], raw)
		}
	})
}

// A full Redis refuses to overwrite a job, but it removes jobs.
func TestRemoveMatchingFromAFullRedis(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	client, c := s.Client(t), s.Conn(t)
	fillQueue(t, c, "q", 30)
	_, err := c.Do("CONFIG", "SET", "maxmemory", 1)
	require.NoError(t, err)
	odd := func(job resque.QueuedJob) bool { return bytes.Contains(job.Raw, []byte(`"A1"`)) }
	_, err = client.Queue("q").RemoveMatching(t.Context(), resque.RemoveOptions{Keep: time.Hour}, odd, nil)
	require.ErrorContains(t, err, "OOM")
	assert.Len(t, waitingIn(t, c, "q"), 30, "without room for the trash nothing is removed")
	p, err := client.Queue("q").RemoveMatching(t.Context(), resque.RemoveOptions{}, odd, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 15, p.Done)
	assert.Len(t, waitingIn(t, c, "q"), 15)
}

// The parts of a queue are small if its jobs are large.
func TestRemoveMatchingOfLargeJobs(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	client, c := s.Client(t), s.Conn(t)
	fillQueue(t, c, "q", 500)
	for range 20 {
		_, err := c.Do("RPUSH", "resque:queue:q", `{"class":"A1","args":["`+strings.Repeat("x", 1<<20)+`"]}`)
		require.NoError(t, err)
	}
	p, err := client.Queue("q").RemoveMatching(t.Context(), resque.RemoveOptions{}, func(job resque.QueuedJob) bool { return bytes.Contains(job.Raw, []byte(`"A1"`)) }, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 270, p.Done)
	assert.Len(t, waitingIn(t, c, "q"), 250)
}

func TestQueuedJobIDsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "1", "-1-0123456789abcdef", "1-0123", "x-0123456789abcdef"} {
		_, err := resque.ParseQueuedJobID(text)
		require.ErrorIs(t, err, resque.ErrQueuedJobID, text)
	}
}

// What Redis refuses is never taken for nothing.
func TestSnapshotTellsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	client, c := s.Client(t), s.Conn(t)
	for _, command := range [][]any{
		{"SADD", "resque:queues", "list", "zset"},
		{"ZADD", "resque:queue:zset", 1, "x"},
		{"RPUSH", "resque:queue:list", `{"class":"A"}`},
		{"SET", "resque:failed", "text"},
		{"RPUSH", "resque:workers", "a list"},
	} {
		_, err := c.Do(command[0].(string), command[1:]...)
		require.NoError(t, err)
	}
	snap, err := client.Snapshot(t.Context())
	require.NoError(t, err)
	require.Len(t, snap.Damage, 1)
	require.ErrorContains(t, snap.Damage[0], "resque:workers")
	require.NoError(t, snap.Queues[0].Err)
	assert.EqualValues(t, 1, snap.Queues[0].Size)
	require.ErrorContains(t, snap.Queues[1].Err, "resque:queue:zset")
	require.ErrorContains(t, snap.Failures[0].Err, "resque:failed")
}

func TestWorkersByID(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, c := s.Client(t), s.Conn(t)
		for _, command := range [][]any{
			{"SADD", "resque:workers", "host:1:a"},
			{"SET", "resque:stat:processed:host:1:a", 7},
			{"SET", "resque:worker:host:1:a", `{"queue":"a","run_at":"2026-01-15T12:00:00Z","payload":{"class":"A","args":[]}}`},
			{"HSET", "resque:workers:heartbeat", "host:1:a", "yesterday"},
		} {
			_, err := c.Do(command[0].(string), command[1:]...)
			require.NoError(t, err)
		}
		workers, err := client.WorkersByID(t.Context(), "host:1:a", "other:1:b")
		require.NoError(t, err)
		require.Len(t, workers, 2)
		assert.EqualValues(t, 7, workers[0].Processed)
		assert.True(t, workers[0].Registered)
		assert.Equal(t, "A", workers[0].Job.Class)
		assert.Equal(t, "yesterday", workers[0].HeartbeatText)
		assert.Equal(t, 2026, workers[0].RunAt.Year())
		assert.Equal(t, "other:1:b", workers[1].ID)
		assert.False(t, workers[1].Registered)
		none, err := client.WorkersByID(t.Context())
		require.NoError(t, err)
		assert.Empty(t, none)

		snap, err := client.Snapshot(t.Context())
		require.NoError(t, err)
		require.Len(t, snap.Workers, 1)
		assert.Equal(t, "A", snap.Workers[0].Job.Class, "a snapshot has the running jobs")
		assert.Equal(t, "a", snap.Workers[0].Job.Queue)
		assert.Equal(t, 2026, snap.Workers[0].RunAt.Year())
	})
}

func TestKeysAndTheirValues(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, c := s.Client(t), s.Conn(t)
		fillQueue(t, c, "q", 5)
		_, err := c.Do("SET", "other:key", 1)
		require.NoError(t, err)
		keys, next, err := client.ScanKeys(t.Context(), 0, 100)
		require.NoError(t, err)
		assert.Zero(t, next)
		assert.Equal(t, []resque.KeyInfo{{Name: "queue:q", NameSize: 7, Type: "list", Size: 5}}, keys)
		value, ok, err := client.ReadKey(t.Context(), "queue:q", "", 3)
		require.NoError(t, err)
		require.True(t, ok)
		assert.Len(t, value.Values, 3)
		assert.Equal(t, "3", value.Next)
		_, ok, err = client.ReadKey(t.Context(), "nothing", "", 3)
		require.NoError(t, err)
		assert.False(t, ok)
	})
}

func TestFailuresPage(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	client, c := s.Client(t), s.Conn(t)
	for i := range 4 {
		_, err := c.Do("RPUSH", "resque:failed", fmt.Sprintf(`{"payload":{"class":"A%d","args":[]}}`, i))
		require.NoError(t, err)
	}
	jobs, err := client.Failures().Page(t.Context(), "", 1, 2)
	require.NoError(t, err)
	require.Len(t, jobs, 2)
	assert.Equal(t, "A1", jobs[0].Class)
	assert.EqualValues(t, 1, jobs[0].ID.Position)
	_, err = client.Failures().Page(t.Context(), "queue:q", 0, 1)
	require.ErrorIs(t, err, resque.ErrNoFailureList)
}
