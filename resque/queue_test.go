package resque_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

func TestPushKeepsBytes(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	client := s.Client(t)
	odd := ` {"args": [1.50, 12345678901234567890], "class":"A", "more":{}} `
	require.NoError(t, client.Push(t.Context(), "q", []byte(odd)))
	assert.Equal(t, []any{odd}, golden.Dump(t, s.Conn(t))["resque:queue:q"].Value)

	job, ok, err := client.Pop(t.Context(), "q")
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, odd, string(job.Raw))
	assert.Equal(t, "q", job.Queue)
	var f any
	var n uint64
	require.NoError(t, job.Bind(&f, &n))
	assert.Equal(t, uint64(12345678901234567890), n)

	job, ok, err = client.Pop(t.Context(), "q")
	require.NoError(t, err)
	assert.False(t, ok)
	assert.Nil(t, job)
}

func TestPushRefuses(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	client := s.Client(t)
	require.ErrorIs(t, client.Push(t.Context(), "", []byte(`{}`)), resque.ErrNoQueue)
	require.EqualError(t, client.Push(t.Context(), "a\xff", []byte(`{}`)), `resque: queue "a\xff" is not valid UTF-8`)
	var unreadable *resque.UnreadableError
	require.ErrorAs(t, client.Push(t.Context(), "q", []byte(`{"class"`)), &unreadable)
	assert.Empty(t, golden.Dump(t, s.Conn(t)))
}

// What was popped is not lost over being unreadable.
func TestPopReturnsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	redisDo(t, s, "RPUSH", "resque:queue:q", "nonsense")
	_, ok, err := s.Client(t).Pop(t.Context(), "q")
	var unreadable *resque.UnreadableError
	require.ErrorAs(t, err, &unreadable)
	assert.False(t, ok)
	assert.Equal(t, "nonsense", string(unreadable.Payload))
}

func redisDo(t *testing.T, s *redistest.Server, command string, words ...any) {
	t.Helper()
	_, err := s.Conn(t).Do(command, words...)
	require.NoError(t, err)
}

func TestPeekReadsParts(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	client := s.Client(t)
	const all = 450 // two parts and a bit
	jobs := make([]resque.Job, all)
	for i := range jobs {
		jobs[i] = exporter(i)
	}
	_, err := client.EnqueueAll(t.Context(), jobs)
	require.NoError(t, err)
	for _, c := range []struct{ start, count, first, want int }{
		{0, -1, 0, all},
		{0, 1, 0, 1},
		{0, 0, 0, 0},
		{0, 200, 0, 200},
		{199, 202, 199, 202},
		{400, 200, 400, 50},
		{450, 5, 0, 0},
		{-1, 1, 449, 1},
		{-3, 5, 447, 3},
		{-3, -1, 447, 3},
		{-1000, 3, 0, 3},
	} {
		got := collect(t, client.Peek(t.Context(), "exports", c.start, c.count))
		require.Len(t, got, c.want, "%+v", c)
		for i, job := range got {
			require.Equal(t, strconv.Itoa(c.first+i), string(job.Args[0]), "%+v", c)
		}
	}
	assert.Empty(t, collect(t, client.Peek(t.Context(), "nobody", -5, 5)))

	read := s.Real
	commands := func() [][]string { return nil }
	if read {
		commands = s.Monitor(t)
	}
	for job, err := range client.Peek(t.Context(), "exports", 0, -1) {
		require.NoError(t, err)
		require.NotNil(t, job)
		break
	}
	if read {
		all := commands()
		assert.Equal(t, "199", all[len(all)-1][3], "no more than it was asked for")
	}
}

func TestPeekPassesOverWhatItCannotRead(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	redisDo(t, s, "RPUSH", "resque:queue:q", `{"class":"A"}`, "nonsense", `{"class":"B"}`)
	var classes []string
	for job, err := range s.Client(t).Peek(t.Context(), "q", 0, -1) {
		if err != nil {
			var unreadable *resque.UnreadableError
			require.ErrorAs(t, err, &unreadable)
			assert.Equal(t, "nonsense", string(job.Raw))
			assert.Equal(t, "q", job.Queue)
		}
		classes = append(classes, job.Class)
	}
	assert.Equal(t, []string{"A", "", "B"}, classes)

	redisDo(t, s, "SET", "resque:queue:text", "x")
	n := 0
	for job, err := range s.Client(t).Peek(t.Context(), "text", 0, -1) {
		require.ErrorContains(t, err, `reading queue "text": WRONGTYPE`)
		assert.Nil(t, job)
		n++
	}
	assert.EqualValues(t, 1, n)
}

func TestQueuesOfAnyKind(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client := s.Client(t)
		for _, queue := range []string{"b", "a:b,c *!", "é", "empty"} {
			_, err := client.Enqueue(t.Context(), resque.Job{Queue: queue, Class: "A"})
			require.NoError(t, err)
		}
		_, _, err := client.Pop(t.Context(), "empty")
		require.NoError(t, err)
		redisDo(t, s, "SADD", "resque:queues", "text")
		redisDo(t, s, "SET", "resque:queue:text", "x")
		redisDo(t, s, "RPUSH", "resque:queue:b", "nonsense")

		queues, err := client.Queues(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"a:b,c *!", "b", "empty", "text", "é"}, queues)

		sizes, err := client.QueueSizes(t.Context())
		require.ErrorContains(t, err, `reading the size of queue "text": WRONGTYPE`)
		assert.Equal(t, map[string]int64{"a:b,c *!": 1, "b": 2, "empty": 0, "é": 1}, sizes)

		var names []string
		for sample, err := range client.SampleQueues(t.Context(), 1) {
			names = append(names, sample.Queue)
			switch sample.Queue {
			case "text":
				require.ErrorContains(t, err, "WRONGTYPE")
			case "empty":
				require.NoError(t, err)
				assert.Empty(t, sample.Jobs)
			default:
				require.NoError(t, err)
				require.Len(t, sample.Jobs, 1)
				assert.Equal(t, "A", sample.Jobs[0].Class)
			}
		}
		assert.Equal(t, queues, names)
		for sample, err := range client.SampleQueues(t.Context(), 2) {
			if err == nil && sample.Queue == "b" {
				assert.Empty(t, sample.Jobs[1].Class)
				assert.Equal(t, "nonsense", string(sample.Jobs[1].Raw))
			}
		}
		info, err := client.Info(t.Context())
		require.ErrorContains(t, err, "does not have Resque's type")
		assert.EqualValues(t, 4, info.Pending)
	})
}

func TestRemoveQueueTellsWhatThereWas(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	client := s.Client(t)
	require.NoError(t, client.Push(t.Context(), "a", []byte(`{}`)))
	require.NoError(t, client.PauseQueue(t.Context(), "a"))
	jobs, known, err := client.RemoveQueue(t.Context(), "a")
	require.NoError(t, err)
	assert.EqualValues(t, 1, jobs)
	assert.True(t, known)
	jobs, known, err = client.RemoveQueue(t.Context(), "a")
	require.NoError(t, err)
	assert.Zero(t, jobs)
	assert.False(t, known)
	assert.Contains(t, golden.Dump(t, s.Conn(t)), "resque:pause:queue:a")
}

func TestKeys(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		rdb, err := resque.Open(resque.RedisConfig{URL: s.URL, Namespace: `a*[b]?\`})
		require.NoError(t, err)
		defer rdb.Close()
		client, err := resque.New(rdb, resque.Config{})
		require.NoError(t, err)
		want := []string{"queue:", "queues"}
		stats := []any{}
		for i := range 1500 { // more than one part
			stats = append(stats, fmt.Sprintf(`a*[b]?\:stat:%d`, i), 1)
			want = append(want, fmt.Sprintf("stat:%d", i))
		}
		redisDo(t, s, "MSET", stats...)
		redisDo(t, s, "SET", `axb?\:other`, 1)
		redisDo(t, s, "SET", `a*[b]?\:queue:`, 1)
		redisDo(t, s, "SET", `a*[b]?\:queues`, 1)
		keys := collect(t, client.Keys(t.Context()))
		slices.Sort(keys)
		slices.Sort(want)
		assert.Equal(t, want, slices.Compact(keys))
		for _, err := range client.Keys(t.Context()) {
			require.NoError(t, err)
			break // as early as one likes
		}
	})
}

func TestStats(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client := s.Client(t)
		stat := func() int64 {
			n, err := client.Stat(t.Context(), "exported")
			require.NoError(t, err)
			return n
		}
		assert.Zero(t, stat())
		n, err := client.IncrStat(t.Context(), "exported", 1<<40)
		require.NoError(t, err)
		assert.Equal(t, int64(1<<40), n)
		n, err = client.DecrStat(t.Context(), "exported", 1<<40+2)
		require.NoError(t, err)
		assert.Equal(t, int64(-2), n)
		assert.Equal(t, int64(-2), stat())
		assert.Equal(t, "-2", golden.Dump(t, s.Conn(t))["resque:stat:exported"].Value)
		require.NoError(t, client.ClearStat(t.Context(), "exported"))
		assert.Empty(t, golden.Dump(t, s.Conn(t)))

		redisDo(t, s, "SET", "resque:stat:exported", "many")
		assert.Zero(t, stat(), "as Ruby's to_i has it")
		_, err = client.IncrStat(t.Context(), "exported", 1)
		require.ErrorContains(t, err, `counting "exported"`)
	})
}

// An inline client without a Redis says so.
func TestInlineClientHasNoQueues(t *testing.T) {
	t.Parallel()
	client := inline(t, resque.NewMux())
	_, err := client.Queues(t.Context())
	require.ErrorContains(t, err, "this client is inline and has no Redis")
	_, err = client.Info(t.Context())
	require.ErrorContains(t, err, "has no Redis")
	require.ErrorContains(t, client.Push(t.Context(), "q", []byte(`{}`)), "has no Redis")
	require.NotErrorIs(t, client.Push(t.Context(), "q", []byte(`{}`)), resque.ErrMaybeQueued)
}
