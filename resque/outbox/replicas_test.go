package outbox

import (
	"context"
	"log/slog"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/unique"
)

// heard passes messages of a log on.
type heard struct {
	slog.Handler
	messages chan string
}

func (h heard) Enabled(context.Context, slog.Level) bool { return true }

func (h heard) Handle(_ context.Context, r slog.Record) error {
	h.messages <- r.Message
	return nil
}

// A job that was pushed but not acknowledged is refused by its own lock in the next turn. It
// leaves the outbox only when enough replicas have acknowledged it.
func TestRelayWaitsForReplicasOfDuplicates(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	only := resque.Define1[int64]("Only", "exports", unique.Policy{})
	mux := resque.NewMux()
	mux.Handle(only.Handler(func(context.Context, int64) error { return nil }))
	client, err := resque.New(s.Open(t), resque.Config{WaitReplicas: 1, WaitTimeout: time.Millisecond})
	require.NoError(t, err)
	client = client.WithJobs(mux)
	payload := []byte(`{"class":"Only","args":[1]}`)
	for turn := range 3 {
		b := newBatch([]row{{id: 1, queue: "exports", payload: payload}})
		require.ErrorContains(t, b.push(t.Context(), client), "0 of 1 replicas", turn)
		assert.Len(t, b.left, 1, turn)
		assert.Empty(t, b.equal, turn)
	}
	jobs, err := redis.Strings(s.Conn(t).Do("LRANGE", "resque:queue:exports", 0, -1))
	require.NoError(t, err)
	assert.Equal(t, []string{string(payload)}, jobs, "its lock refused it in the later turns")

	// Without WaitReplicas it leaves the outbox as a duplicate.
	b := newBatch([]row{{id: 1, queue: "exports", payload: payload}})
	require.NoError(t, b.push(t.Context(), s.Client(t).WithJobs(mux)))
	assert.Empty(t, b.left)
	assert.Len(t, b.equal, 1)
}

// AwaitReplicas waits also for what other connections have written.
func TestAwaitReplicasWaitsForOthersWrites(t *testing.T) {
	t.Parallel()
	master, replica := redistest.StartReal(t), redistest.StartReal(t)
	at, err := url.Parse(master.URL)
	require.NoError(t, err)
	_, err = master.Conn(t).Do("CONFIG", "SET", "repl-diskless-sync-delay", 0)
	require.NoError(t, err)
	r := replica.Conn(t)
	_, err = r.Do("CONFIG", "SET", "busy-reply-threshold", 1)
	require.NoError(t, err)
	_, err = r.Do("REPLICAOF", at.Hostname(), at.Port())
	require.NoError(t, err)
	client, err := resque.New(master.Open(t), resque.Config{WaitReplicas: 1, WaitTimeout: 50 * time.Millisecond})
	require.NoError(t, err)
	until(t, "the replica is connected", func() bool { return client.AwaitReplicas(t.Context()) == nil })

	busy := make(chan error, 1)
	go func() {
		_, err := redis.DoWithTimeout(replica.Conn(t), time.Minute, "EVAL_RO", "while true do end", 0)
		busy <- err
	}()
	until(t, "the replica is busy", func() bool {
		_, err := r.Do("PING")
		return err != nil
	})
	_, err = master.Conn(t).Do("RPUSH", "resque:queue:exports", "x")
	require.NoError(t, err)
	require.ErrorContains(t, client.AwaitReplicas(t.Context()), "0 of 1 replicas are connected and up to date")
	_, err = r.Do("SCRIPT", "KILL")
	require.NoError(t, err)
	require.Error(t, <-busy)
	until(t, "the replica has caught up", func() bool { return client.AwaitReplicas(t.Context()) == nil })
}

// A job stays in the outbox until enough replicas have acknowledged it. It is not enqueued
// over and over while too few are connected.
func TestRelayWaitsForReplicas(t *testing.T) {
	t.Parallel()
	master, replica := redistest.StartReal(t), redistest.StartReal(t)
	at, err := url.Parse(master.URL)
	require.NoError(t, err)
	follow := func(host, port string) {
		_, err := redis.String(replica.Conn(t).Do("REPLICAOF", host, port))
		assert.NoError(t, err)
	}
	_, err = master.Conn(t).Do("CONFIG", "SET", "repl-diskless-sync-delay", 0)
	require.NoError(t, err)
	rdb, err := resque.Open(resque.RedisConfig{URL: master.URL})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rdb.Close()) })
	client, err := resque.New(rdb, resque.Config{WaitReplicas: 1, WaitTimeout: 100 * time.Millisecond})
	require.NoError(t, err)
	source := sqliteSource(t)
	f := &fixture{source: source, db: source.open(t), server: master, client: client}
	require.NoError(t, Migrate(t.Context(), f.db))
	require.ErrorContains(t, client.AwaitReplicas(t.Context()), "0 of 1 replicas are connected")

	log := heard{slog.DiscardHandler, make(chan string, 100)}
	hear := func(want string) {
		t.Helper()
		late := time.NewTimer(time.Minute)
		defer late.Stop()
		for {
			select {
			case got := <-log.messages:
				if got == want {
					return
				}
			case <-late.C:
				require.Fail(t, "not logged", want)
			}
		}
	}
	var leaves atomic.Bool // the replica leaves when the next job is taken
	relay := &Relay{DB: f.db, Client: client, Interval: 10 * time.Millisecond, Logger: slog.New(log)}
	relay.step = func(name string) {
		if name == "taken" && leaves.CompareAndSwap(true, false) {
			follow("NO", "ONE")
		}
	}
	copies := func(payload string) (n int) {
		for _, p := range f.payloads(t, "exports") {
			if p == payload {
				n++
			}
		}
		return n
	}
	f.write(t, exporter.Job(1))
	f.run(t, relay)
	hear("outbox relay cannot reach redis, trying again")
	assert.Zero(t, copies(`{"class":"Exporter","args":[1]}`), "no replica is connected")
	follow(at.Hostname(), at.Port())
	f.empty(t)
	assert.Positive(t, copies(`{"class":"Exporter","args":[1]}`))
	hear("outbox relay reaches redis again")

	leaves.Store(true)
	f.write(t, exporter.Job(2)) // the replica leaves before it is pushed
	hear("outbox relay cannot reach redis, trying again")
	before := copies(`{"class":"Exporter","args":[2]}`)
	assert.Positive(t, before)
	s, err := ReadState(t.Context(), f.db)
	require.NoError(t, err)
	assert.EqualValues(t, 1, s.Waiting, "the replica has not acknowledged it")
	follow(at.Hostname(), at.Port())
	f.empty(t)
	assert.Greater(t, copies(`{"class":"Exporter","args":[2]}`), before)
}
