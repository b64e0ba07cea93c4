package resque_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// turns counts how often a connection is read after it was written to: its round
// trips.
type turns struct {
	net.Conn
	trips *atomic.Int64
	wrote bool
}

func (c *turns) Write(p []byte) (int, error) {
	c.wrote = true
	return c.Conn.Write(p)
}

func (c *turns) Read(p []byte) (int, error) {
	if c.wrote {
		c.wrote = false
		c.trips.Add(1)
	}
	return c.Conn.Read(p)
}

// counted is a client whose round trips are counted.
func counted(t *testing.T, s *redistest.Server) (*resque.Client, *atomic.Int64) {
	t.Helper()
	var trips atomic.Int64
	rdb := resque.FromPool(&redis.Pool{
		MaxIdle: 1,
		Dial: func() (redis.Conn, error) {
			return redis.DialURL(s.URL, redis.DialNetDial(func(network, addr string) (net.Conn, error) {
				c, err := net.Dial(network, addr)
				return &turns{Conn: c, trips: &trips}, err
			}))
		},
	}, "")
	client, err := resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client, &trips
}

// A thousand workers, all at work, are seen in two round trips.
func TestWorkersTakeTwoRoundTrips(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	for i := range 1000 {
		id := fmt.Sprintf("host%d~go:%d:a,b", i%7, i)
		for _, command := range [][]any{
			{"SADD", "resque:workers", id},
			{"HSET", "resque:workers:heartbeat", id, "2026-01-15T12:34:56+00:00"},
			{"SET", "resque:worker:" + id, `{"queue":"a","run_at":"2026-01-15T12:34:56Z","payload":{"class":"A","args":[1]}}`},
			{"SET", "resque:stat:processed:" + id, i},
		} {
			require.NoError(t, c.Send(command[0].(string), command[1:]...))
		}
	}
	_, err := c.Do("")
	require.NoError(t, err)

	client, trips := counted(t, s)
	for name, read := range map[string]func() ([]resque.RegisteredWorker, error){
		"all":     func() ([]resque.RegisteredWorker, error) { return client.Workers(t.Context()) },
		"working": func() ([]resque.RegisteredWorker, error) { return client.Working(t.Context()) },
		"silent":  func() ([]resque.RegisteredWorker, error) { return client.SilentWorkers(t.Context(), time.Minute) },
	} {
		before := trips.Load()
		workers, err := read()
		require.NoError(t, err)
		assert.Len(t, workers, 1000, name)
		assert.LessOrEqual(t, trips.Load()-before, int64(2), name)
	}
	before := trips.Load()
	info, err := client.Info(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 1000, info.Working)
	assert.LessOrEqual(t, trips.Load()-before, int64(2))
}

// TestWorkersAreRubys reads what Ruby recorded of a worker in the middle of a job.
func TestWorkersAreRubys(t *testing.T) {
	t.Parallel()
	want := golden.Load(t, "worker_working")
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		placed := func(text string) string {
			return strings.NewReplacer("{HOST}", "web-1", "{PID}", "4242", "{ISO8601}", "2026-01-15T12:34:56Z",
				"{TIME_TO_S}", "2026-01-15 12:34:00 +0000").Replace(text)
		}
		restore(t, s, want.Keyspace, placed)
		client := s.Client(t)
		workers, err := client.Working(t.Context())
		require.NoError(t, err)
		require.Len(t, workers, 1)
		w := workers[0]
		job := map[string]any{
			"queue": w.Job.Queue, "run_at": w.RunAt.Format(time.RFC3339),
			"payload": map[string]any{"class": w.Job.Class, "args": w.Job.Args},
		}
		assert.JSONEq(t, placed(string(want.Result)), asJSON(t, []any{w.State(), []string{w.ID}, job}))

		started, beat := time.Date(2026, 1, 15, 12, 34, 0, 0, time.UTC), time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)
		assert.True(t, w.Started.Equal(started), w.Started)
		assert.True(t, w.Heartbeat.Equal(beat), w.Heartbeat)
		assert.Greater(t, w.Silence, time.Hour)
		assert.Equal(t, "web-1", w.Host)
		assert.Equal(t, 4242, w.PID)
		assert.Equal(t, []string{"exports"}, w.Queues)
		assert.False(t, w.Go)
		assert.Equal(t, w.ID, w.Job.Worker)
		assert.JSONEq(t, `{"class":"Exporter","args":[1]}`, string(w.Job.Raw))

		found, ok, err := client.Worker(t.Context(), w.ID)
		require.NoError(t, err)
		assert.True(t, ok)
		found.Silence = w.Silence // a moment later
		assert.Equal(t, w, found)
	})
}

// restore writes a recorded keyspace, with its placeholders filled in.
func restore(t *testing.T, s *redistest.Server, space map[string]golden.Value, placed func(string) string) {
	t.Helper()
	for key, value := range space {
		key = placed(key)
		switch v := value.Value.(type) {
		case string:
			redisDo(t, s, "SET", key, placed(v))
		case []any:
			for _, member := range v {
				redisDo(t, s, map[string]string{"set": "SADD", "list": "RPUSH"}[value.Type], key, placed(member.(string)))
			}
		case map[string]any:
			for field, text := range v {
				redisDo(t, s, "HSET", key, placed(field), placed(text.(string)))
			}
		}
	}
}

func TestWorkersOfAllKinds(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		now := time.Now().UTC()
		fresh := now.Format(time.RFC3339)
		for _, command := range [][]any{
			{"SADD", "resque:workers", "web-1~go:7-2:a,b:c", "web-1:9:*", "odd", "", "x:y", "damaged:1:q", "textual:2:q"},
			{"HSET", "resque:workers:heartbeat", "web-1~go:7-2:a,b:c", fresh, "web-1:9:*", "nonsense", "left:3:q", "2026-01-01T00:00:00+00:00"},
			{"SET", "resque:worker:web-1~go:7-2:a,b:c:started", "2026-01-15 13:34:00 +0100"},
			{"SET", "resque:worker:web-1~go:7-2:a,b:c", `{"queue":"a","run_at":"2026-01-15T12:34:56.000000007Z","payload":{"class":"<unreadable>","args":["nonsense"]}}`},
			{"SET", "resque:stat:processed:web-1~go:7-2:a,b:c", 12},
			{"SET", "resque:stat:failed:web-1~go:7-2:a,b:c", 3},
			{"SET", "resque:stat:failed:odd", "many"},
			{"SET", "resque:worker:damaged:1:q", `{"queue":`},
			{"RPUSH", "resque:worker:textual:2:q", "a list"},
			{"RPUSH", "resque:worker:x:y:started", "a list"},
		} {
			redisDo(t, s, command[0].(string), command[1:]...)
		}
		client := s.Client(t)
		workers, err := client.Workers(t.Context())
		require.NoError(t, err)
		by := map[string]resque.RegisteredWorker{}
		var ids []string
		for _, w := range workers {
			ids, by[w.ID] = append(ids, w.ID), w
		}
		assert.Equal(t, []string{"", "damaged:1:q", "odd", "textual:2:q", "web-1:9:*", "web-1~go:7-2:a,b:c", "x:y"}, ids)

		ours := by["web-1~go:7-2:a,b:c"]
		assert.Equal(t, "web-1", ours.Host)
		assert.Equal(t, 7, ours.PID)
		assert.Equal(t, 2, ours.Slot)
		assert.True(t, ours.Go)
		assert.Equal(t, []string{"a", "b:c"}, ours.Queues)
		assert.Equal(t, int64(12), ours.Processed)
		assert.Equal(t, int64(3), ours.Failed)
		assert.True(t, ours.Started.Equal(time.Date(2026, 1, 15, 12, 34, 0, 0, time.UTC)))
		assert.Less(t, ours.Silence, time.Minute)
		assert.Equal(t, "<unreadable>", ours.Job.Class)
		assert.Equal(t, json.RawMessage(`"nonsense"`), ours.Job.Args[0])
		assert.Equal(t, 7, ours.RunAt.Nanosecond())
		require.NoError(t, ours.Damage)

		damaged := by["damaged:1:q"]
		assert.Equal(t, "working", damaged.State())
		require.Error(t, damaged.Damage)
		assert.Equal(t, `{"queue":`, string(damaged.Job.Raw))
		assert.Equal(t, "idle", by["textual:2:q"].State())
		assert.Equal(t, resque.RegisteredWorker{ID: "odd", Host: "odd", Registered: true}, by["odd"])
		assert.Equal(t, resque.RegisteredWorker{ID: "x:y", Host: "x", Registered: true}, by["x:y"])
		ruby := by["web-1:9:*"]
		assert.Equal(t, []string{"*"}, ruby.Queues)
		assert.Zero(t, ruby.Heartbeat)

		working, err := client.Working(t.Context())
		require.NoError(t, err)
		assert.Len(t, working, 2)
		silent, err := client.SilentWorkers(t.Context(), 5*time.Minute)
		require.NoError(t, err)
		require.Len(t, silent, 1, "also who has nothing but a heartbeat")
		assert.Equal(t, "left:3:q", silent[0].ID)

		beats, err := client.Heartbeats(t.Context())
		require.NoError(t, err)
		assert.Len(t, maps.Collect(maps.All(beats)), 3)
		assert.True(t, beats["web-1~go:7-2:a,b:c"].Equal(now.Truncate(time.Second)))
		assert.Zero(t, beats["web-1:9:*"])
	})
}

func TestWorkerThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	client := s.Client(t)
	redisDo(t, s, "SADD", "resque:workers", "here:1:q")
	redisDo(t, s, "HSET", "resque:workers:heartbeat", "left:1:q", "2026-01-01T00:00:00+00:00")
	for id, want := range map[string]bool{"here:1:q": true, "left:1:q": false, "nobody:1:q": false} {
		w, ok, err := client.Worker(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, want, ok, id)
		assert.Equal(t, want, w.ID == id)
		exists, err := client.WorkerExists(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, want, exists)
	}
	none, err := redistest.StartEmbedded(t).Client(t).Workers(t.Context())
	require.NoError(t, err)
	assert.Empty(t, none)
}
