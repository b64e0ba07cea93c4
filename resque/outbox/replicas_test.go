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
