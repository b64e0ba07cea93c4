package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
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
	log   *bytes.Buffer
}

func dig(t *testing.T, s *redistest.Server, cfg Config) *deadWorkers {
	t.Helper()
	cfg.Queues = []string{"exports"}
	log := &bytes.Buffer{}
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	cfg, err := cfg.withDefaults()
	require.NoError(t, err)
	client := s.Client(t)
	st := store.New(client.Redis())
	return &deadWorkers{Conn: s.Conn(t), store: st, dead: newSweeper(client, st, nil, cfg), log: log}
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

// watched sweeps, and sweeps again as if the sweeper had seen the same heartbeats for d.
func (g *deadWorkers) watched(t *testing.T, d time.Duration) {
	t.Helper()
	require.NoError(t, g.dead.sweep(t.Context(), nil))
	for id, s := range g.dead.watch.workers {
		s.since = s.since.Add(-d)
		g.dead.watch.workers[id] = s
	}
	require.NoError(t, g.dead.sweep(t.Context(), nil))
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
		g.watched(t, time.Hour)
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
	g.plant(t, "odd:1:exports", recorded, time.Hour)
	_, err := g.Do("HSET", "resque:workers:heartbeat", "odd:1:exports", "yesterday")
	require.NoError(t, err)
	g.plant(t, "older-client:1:exports", recorded, time.Hour)
	_, err = g.Do("HDEL", "resque:workers:heartbeat", "older-client:1:exports") // it has no heartbeat
	require.NoError(t, err)

	g.watched(t, 5*time.Minute-time.Second)
	for _, id := range []string{"ruby:1:exports", "odd:1:exports", "older-client:1:exports"} {
		assert.True(t, g.known(t, id), id)
	}
	assert.Empty(t, g.list(t, "failed"))
	assert.Equal(t, 1, strings.Count(g.log.String(), "a worker's heartbeat cannot be read"))

	g.watched(t, time.Second)
	assert.False(t, g.known(t, "ruby:1:exports"))
	assert.False(t, g.known(t, "odd:1:exports"), "a heartbeat need not be a time to be seen to stay the same")
	assert.True(t, g.known(t, "older-client:1:exports"))
}

// The connection of a Go worker shows that it is alive. Without it, the worker is pruned
// earlier than a Ruby worker.
func TestSweepPrunesDisconnectedGoWorkersSooner(t *testing.T) {
	t.Parallel()
	g := dig(t, redistest.StartReal(t), Config{})
	g.plant(t, "web~go:1-1:exports", recorded, 0)
	g.plant(t, "web~go:2-1:exports", recorded, 0)
	g.plant(t, "ruby:3:exports", recorded, 0)
	presence, err := g.store.Announce(t.Context(), "web~go:2", "token")
	require.NoError(t, err)
	g.watched(t, 2*time.Minute)
	assert.True(t, g.known(t, "web~go:1-1:exports"), "it may have sent two heartbeats within a second")
	g.watched(t, time.Second)
	assert.False(t, g.known(t, "web~go:1-1:exports"), "silent, and its connection is gone")
	assert.True(t, g.known(t, "web~go:2-1:exports"), "silent, but connected")
	assert.True(t, g.known(t, "ruby:3:exports"))

	presence.Close()
	g.watched(t, time.Minute)
	assert.True(t, g.known(t, "web~go:2-1:exports"), "the watch began again when it was connected")
	g.watched(t, 2*time.Minute)
	assert.False(t, g.known(t, "web~go:2-1:exports"))
	assert.Len(t, g.list(t, "failed"), 3, "and that of ruby:3, after 5 minutes")
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
	g.watched(t, time.Hour)
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
		g.watched(t, time.Hour)
		assert.False(t, g.known(t, "a:1:exports"))
		assert.True(t, g.known(t, "b:1:exports"))
		assert.False(t, g.known(t, "c:1:exports"))
		require.NoError(t, g.dead.sweep(t.Context(), nil))
		assert.Equal(t, 1, strings.Count(g.log.String(), `msg="a dead worker cannot be pruned, trying again" worker=b:1:exports`), "logged once")

		_, err = g.Do("DEL", "resque:worker:b:1:exports")
		require.NoError(t, err)
		require.NoError(t, g.dead.sweep(t.Context(), nil))
		assert.False(t, g.known(t, "b:1:exports"))
		assert.Contains(t, g.log.String(), `msg="pruned a dead worker" worker=b:1:exports`)
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
	g.watched(t, time.Hour)
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
	require.NoError(t, g.store.Beat(t.Context(), []string{"slow:1:exports"}, store.Intervals{})) // between the read of the heartbeat and the prune
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
			g.watched(t, time.Hour)
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
	g.watched(t, time.Hour)
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
	g.dead.handler = mux
	g.plant(t, "a:1:exports", rails, time.Hour)
	g.watched(t, time.Hour)
	failed := g.list(t, "failed")
	require.Len(t, failed, 1)
	assert.Contains(t, failed[0], "Worker a:1:exports did not gracefully exit while processing ExportJob")
	assert.Contains(t, failed[0], `"payload":{"class":"Wrap","args":["ExportJob"]}`)
	assert.Contains(t, g.log.String(), `msg="pruned a dead worker" worker=a:1:exports job=failed class=ExportJob queue=exports`)
}

// A worker died after it had taken a large payload, and before it had rewritten its record,
// which Ruby cannot read. The first sweep does that, long before it knows that the worker
// is dead.
func TestSweepRepairsRecords(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		g := dig(t, s, Config{})
		record := `{"queue":"exports","run_at":"2026-01-01T00:00:00.000000001Z","payload":{"class":"Exporter","args":["` +
			strings.Repeat("\xff", 100_000) + `"]}}`
		ids := []string{"web~go:1:exports", "web~go:2:exports", "ruby:1:exports"}
		for i, silent := range []time.Duration{61 * time.Second, 50 * time.Second, time.Hour} {
			g.plant(t, ids[i], record, silent)
		}
		g.plant(t, "web~go:3:exports", recorded, time.Hour)
		_, err := g.Do("RPUSH", "resque:worker:web~go:0:exports", "not a record")
		require.NoError(t, err)
		_, err = g.Do("HSET", "resque:workers:heartbeat", "web~go:0:exports", "2026-01-01T00:00:00+00:00")
		require.NoError(t, err)

		require.NoError(t, g.dead.sweep(t.Context(), nil))
		texts, err := redis.Strings(g.Do("MGET", "resque:worker:"+ids[0], "resque:worker:"+ids[1], "resque:worker:"+ids[2], "resque:worker:web~go:3:exports"))
		require.NoError(t, err)
		assert.True(t, json.Valid([]byte(texts[0])), "it has missed a heartbeat")
		r, err := wire.ParseRecord([]byte(texts[0]))
		require.NoError(t, err)
		assert.True(t, strings.Contains(record, string(r.Payload)), "the payload is the same")
		assert.True(t, texts[1] == record, "it is alive and does so itself")
		assert.True(t, texts[2] == record, "only goresque writes such records")
		assert.Equal(t, recorded, texts[3])

		require.NoError(t, g.dead.sweep(t.Context(), nil))
		assert.Equal(t, 1, strings.Count(g.log.String(), "rewrote a record that Ruby cannot read"))
		assert.Equal(t, 1, strings.Count(g.log.String(), "a worker's record cannot be checked, trying again"), "that of web~go:0")
		assert.Empty(t, g.list(t, "failed"))
	})
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
		g.watched(t, time.Hour)
		assert.Empty(t, g.list(t, "failed"))
		require.Len(t, g.list(t, "exports_failed"), 1)
		require.Len(t, told, 1)
		assert.Equal(t, "Resque::PruneDeadWorkerDirtyExit", (<-told).Exception)
	})
}
