package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// deadWorkers is a Redis with workers that may be dead, and a sweeper for them.
type deadWorkers struct {
	redis.Conn
	store *store.Store
	dead  *sweeper
}

func dig(t *testing.T, s *redistest.Server, cfg Config) *deadWorkers {
	t.Helper()
	cfg.Queues = []string{"exports"}
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg, err := cfg.withDefaults()
	require.NoError(t, err)
	client := s.Client(t)
	st := store.New(client.Redis())
	return &deadWorkers{Conn: s.Conn(t), store: st, dead: &sweeper{client: client, backend: st, cfg: cfg}}
}

const recorded = `{"queue":"exports","run_at":"2026-01-01T00:00:00Z","payload":{"class":"Exporter","args":[5]}}`

// plant registers a worker with a record and a heartbeat of the given age.
func (g *deadWorkers) plant(t *testing.T, id, record string, silent time.Duration) {
	t.Helper()
	now, err := g.store.Now(t.Context())
	require.NoError(t, err)
	for _, command := range [][]any{
		{"SADD", "resque:workers", id},
		{"SET", "resque:worker:" + id, record},
		{"SET", "resque:worker:" + id + ":started", "2026-01-01 00:00:00 +0000"},
		{"HSET", "resque:workers:heartbeat", id, wire.FormatHeartbeat(now.Add(-silent))},
		{"INCRBY", "resque:stat:processed:" + id, 3},
	} {
		_, err := g.Do(command[0].(string), command[1:]...)
		require.NoError(t, err)
	}
}

func (g *deadWorkers) known(t *testing.T, id string) bool {
	t.Helper()
	known, err := redis.Bool(g.Do("SISMEMBER", "resque:workers", id))
	require.NoError(t, err)
	return known
}

func (g *deadWorkers) list(t *testing.T, key string) []string {
	t.Helper()
	values, err := redis.Strings(g.Do("LRANGE", "resque:"+key, 0, -1))
	require.NoError(t, err)
	return values
}

func TestSweepLeavesWhatRubyLeaves(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		g := dig(t, s, Config{})
		g.plant(t, "gone-host:4242:exports", recorded, time.Hour)
		require.NoError(t, g.dead.sweep(t.Context(), nil))
		space := golden.Dump(t, g.Conn)
		ruby := golden.Load(t, "prune_expired_heartbeat").Keyspace
		assert.Equal(t, ruby["resque:failed"], space["resque:failed"])
		assert.Len(t, space, 1, "all other keys are removed, and the lock is released")
	})
}

func TestSweepKeepsLiveWorkers(t *testing.T) {
	t.Parallel()
	g := dig(t, redistest.Start(t), Config{})
	g.plant(t, "ruby:1:exports", recorded, 4*time.Minute)
	g.plant(t, "own~go:1:exports", recorded, time.Hour)
	g.plant(t, "odd:1:exports", recorded, time.Hour)
	_, err := g.Do("HSET", "resque:workers:heartbeat", "odd:1:exports", "yesterday")
	require.NoError(t, err)
	g.plant(t, "older-client:1:exports", recorded, time.Hour)
	_, err = g.Do("HDEL", "resque:workers:heartbeat", "older-client:1:exports") // it has no heartbeat
	require.NoError(t, err)

	require.NoError(t, g.dead.sweep(t.Context(), []string{"own~go:1:exports"}))
	for _, id := range []string{"ruby:1:exports", "own~go:1:exports", "odd:1:exports", "older-client:1:exports"} {
		assert.True(t, g.known(t, id), id)
	}
	assert.Empty(t, g.list(t, "failed"))
}

// The connection of a Go worker shows that it is alive. Without it, the worker is pruned
// earlier than a Ruby worker.
func TestSweepPrunesDisconnectedGoWorkersSooner(t *testing.T) {
	t.Parallel()
	g := dig(t, redistest.StartReal(t), Config{})
	g.plant(t, "web~go:1-1:exports", recorded, 3*time.Minute)
	g.plant(t, "web~go:2-1:exports", recorded, 3*time.Minute)
	g.plant(t, "web~go:3-1:exports", recorded, time.Minute)
	presence, err := g.store.Announce(t.Context(), "web~go:2", "token")
	require.NoError(t, err)
	require.NoError(t, g.dead.sweep(t.Context(), nil))
	assert.False(t, g.known(t, "web~go:1-1:exports"), "silent, and its connection is gone")
	assert.True(t, g.known(t, "web~go:2-1:exports"), "silent, but connected")
	assert.True(t, g.known(t, "web~go:3-1:exports"), "it missed one heartbeat only")

	presence.Close()
	require.NoError(t, g.dead.sweep(t.Context(), nil))
	assert.False(t, g.known(t, "web~go:2-1:exports"))
	assert.Len(t, g.list(t, "failed"), 2)
}

// When Redis's clock jumps, all heartbeats become old. A connected worker is still alive.
func TestSweepKeepsConnectedWorkersWithOldHeartbeats(t *testing.T) {
	t.Parallel()
	g := dig(t, redistest.StartReal(t), Config{})
	ids := []string{"web~go:2-1:exports", "web~go:2-2:exports"}
	for _, id := range ids {
		g.plant(t, id, recorded, time.Hour)
	}
	presence, err := g.store.Announce(t.Context(), "web~go:2", "token")
	require.NoError(t, err)
	defer presence.Close()
	require.NoError(t, g.dead.sweep(t.Context(), nil))
	for _, id := range ids {
		assert.True(t, g.known(t, id), id)
	}
	assert.Empty(t, g.list(t, "failed"))
}

// One dead worker that cannot be pruned must not keep the others from being pruned.
func TestSweepPrunesTheOthersIfOneCannotBePruned(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		g := dig(t, s, Config{})
		for _, id := range []string{"a:1:exports", "b:1:exports", "c:1:exports"} {
			g.plant(t, id, recorded, time.Hour)
		}
		_, err := g.Do("DEL", "resque:worker:b:1:exports")
		require.NoError(t, err)
		_, err = g.Do("RPUSH", "resque:worker:b:1:exports", "not a record")
		require.NoError(t, err)
		require.ErrorContains(t, g.dead.sweep(t.Context(), nil), "b:1:exports")
		assert.False(t, g.known(t, "a:1:exports"))
		assert.True(t, g.known(t, "b:1:exports"))
		assert.False(t, g.known(t, "c:1:exports"))
	})
}

func TestHeartbeatMustBeShorterThanPruneAfter(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{
		{HeartbeatInterval: 20 * time.Second, PruneAfter: 5 * time.Second},
		{HeartbeatInterval: 5 * time.Second, PruneAfter: 5 * time.Second},
		{HeartbeatInterval: 5 * time.Minute},
		{PruneAfter: time.Minute},
	} {
		cfg.Queues = []string{"exports"}
		_, err := cfg.withDefaults()
		require.ErrorContains(t, err, "HeartbeatInterval is")
	}
}

func TestManySweepersPruneADeadWorkerOnce(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		g := dig(t, s, Config{})
		for range 20 {
			g.plant(t, "gone:1:exports", recorded, time.Hour)
			beats, _, err := g.store.Heartbeats(t.Context())
			require.NoError(t, err)
			var all sync.WaitGroup
			for range 10 { // without the lock, which is not needed for correctness
				all.Go(func() {
					_, err := g.dead.prune(t.Context(), "gone:1:exports", beats["gone:1:exports"])
					assert.NoError(t, err)
				})
			}
			all.Wait()
			assert.Len(t, g.list(t, "failed"), 1)
			_, err = g.Do("DEL", "resque:failed")
			require.NoError(t, err)
		}
	})
}

func TestSweepWaitsForTheLock(t *testing.T) {
	t.Parallel()
	g := dig(t, redistest.Start(t), Config{})
	g.plant(t, "gone:1:exports", recorded, time.Hour)
	_, err := g.Do("SET", "resque:pruning_dead_workers_in_progress", "ruby", "EX", 60)
	require.NoError(t, err)
	require.NoError(t, g.dead.sweep(t.Context(), nil))
	assert.True(t, g.known(t, "gone:1:exports"), "a Ruby worker prunes")
	holder, err := redis.String(g.Do("GET", "resque:pruning_dead_workers_in_progress"))
	require.NoError(t, err)
	assert.Equal(t, "ruby", holder)
}

func TestWorkerWithANewHeartbeatIsNotPruned(t *testing.T) {
	t.Parallel()
	g := dig(t, redistest.Start(t), Config{})
	g.plant(t, "slow:1:exports", recorded, time.Hour)
	beats, _, err := g.store.Heartbeats(t.Context())
	require.NoError(t, err)
	require.NoError(t, g.store.Beat(t.Context(), []string{"slow:1:exports"})) // between the read of the heartbeat and the prune
	done, err := g.dead.prune(t.Context(), "slow:1:exports", beats["slow:1:exports"])
	require.NoError(t, err)
	assert.False(t, done)
	assert.True(t, g.known(t, "slow:1:exports"))
	assert.Empty(t, g.list(t, "failed"))
}

// A job that crashes its worker must not crash all workers.
func TestRequeueCrashedFailsAtCrashLimit(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		g := dig(t, s, Config{OnCrash: RequeueCrashed, CrashLimit: 3})
		const payload = `{"class":"Exporter","args":[5]}`
		for crash := 1; crash <= 3; crash++ {
			_, err := g.Do("RPUSH", "resque:queue:exports", "other")
			require.NoError(t, err)
			g.plant(t, "gone:1:exports", recorded, time.Hour)
			require.NoError(t, g.dead.sweep(t.Context(), nil))
			if crash < 3 {
				assert.Equal(t, []string{payload, "other"}, g.list(t, "queue:exports"), "in front, crash %d", crash)
				assert.Empty(t, g.list(t, "failed"))
			}
			_, err = g.Do("DEL", "resque:queue:exports")
			require.NoError(t, err)
		}
		failed := g.list(t, "failed")
		require.Len(t, failed, 1)
		assert.Contains(t, failed[0], `"exception":"Resque::PruneDeadWorkerDirtyExit"`)
	})
}

// A record that Ruby cannot read becomes a failure that Ruby can read.
func TestSweepFailsUnreadableRecordsReadably(t *testing.T) {
	t.Parallel()
	g := dig(t, redistest.Start(t), Config{})
	for id, record := range map[string]string{
		"a:1:exports": `{"queue":"exports","run_at":"2026-01-01T00:00:00Z","payload":{"class":"<unreadable>","args":["[NaN]"]}}`,
		"b:1:exports": "\xff not JSON",
		"c:1:exports": `{"queue":"exports"}`,
	} {
		g.plant(t, id, record, time.Hour)
	}
	require.NoError(t, g.dead.sweep(t.Context(), nil))
	failed := g.list(t, "failed")
	require.Len(t, failed, 3)
	for _, f := range failed {
		assert.True(t, json.Valid([]byte(f)), f)
		assert.Contains(t, f, "did not gracefully exit while processing <Unknown Job>")
	}
}

// The failure of a dead worker's Rails job has the class of the job inside.
func TestSweepRecordsTheClassInsideRailsJobs(t *testing.T) {
	t.Parallel()
	const rails = `{"queue":"exports","run_at":"2026-01-01T00:00:00Z","payload":{"class":"Wrap","args":["ExportJob"]}}`
	mux := resque.NewMux()
	mux.Handle(resque.Route{
		Class: "OtherJob", Handler: resque.HandlerFunc(func(context.Context, *resque.Payload) error { return nil }),
		Wrapper: &resque.Wrapper{Class: "Wrap", Unwrap: func(job *resque.Payload) (*resque.Payload, error) {
			inside := *job
			return &inside, json.Unmarshal(job.Args[0], &inside.Class)
		}},
	})
	g := dig(t, redistest.Start(t), Config{})
	var log bytes.Buffer
	g.dead.cfg.Logger, g.dead.handler = slog.New(slog.NewTextHandler(&log, nil)), mux
	g.plant(t, "a:1:exports", rails, time.Hour)
	require.NoError(t, g.dead.sweep(t.Context(), nil))
	failed := g.list(t, "failed")
	require.Len(t, failed, 1)
	assert.Contains(t, failed[0], "Worker a:1:exports did not gracefully exit while processing ExportJob")
	assert.Contains(t, failed[0], `"payload":{"class":"Wrap","args":["ExportJob"]}`)
	assert.Contains(t, log.String(), `msg="pruned a dead worker" worker=a:1:exports job=failed class=ExportJob queue=exports`)
}

func TestProcessOf(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"web-1~go:12:exports": "web-1~go:12", "web~go:12-3:a,b:c": "web~go:12", "web:12:exports": "",
	} {
		process, ok := processOf(id)
		assert.Equal(t, want, process, id)
		assert.Equal(t, want != "", ok, id)
	}
}

func TestSweepUsesFailureLists(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		told := make(chan resque.Failure, 10)
		g := dig(t, s, Config{
			FailureLists: resque.FailuresByQueue,
			FailureBackends: []resque.FailureBackend{resque.FailureBackendFunc(func(_ context.Context, f resque.Failure) error {
				told <- f
				return nil
			})},
		})
		g.plant(t, "gone-host:4242:exports", recorded, time.Hour)
		require.NoError(t, g.dead.sweep(t.Context(), nil))
		assert.Empty(t, g.list(t, "failed"))
		require.Len(t, g.list(t, "exports_failed"), 1)
		require.Len(t, told, 1)
		assert.Equal(t, "Resque::PruneDeadWorkerDirtyExit", (<-told).Exception)
	})
}
