package store_test

import (
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

const goWorker = "host~go:12-3:exports"

func TestWorkerWritesWhatRubyWrites(t *testing.T) {
	t.Parallel()
	working, empty := golden.Load(t, "worker_working").Keyspace, golden.Load(t, "work_empty")
	delete(working, "resque:pruning_dead_workers_in_progress")
	both(t, func(t *testing.T, f fixture) {
		commands := func() [][]string { return empty.Commands }
		if f.server.Real {
			commands = f.server.Monitor(t)
		}
		_, err := f.Register(t.Context(), []string{goWorker}, time.Now(), store.Intervals{}, false)
		require.NoError(t, err)
		require.NoError(t, f.Beat(t.Context(), []string{goWorker}, store.Intervals{}))
		f.exchange(t, []string{"exports"}, nil, f.slot(goWorker))
		assert.Equal(t, map[string]golden.Value{
			"resque:workers":                             working["resque:workers"],
			"resque:workers:heartbeat":                   working["resque:workers:heartbeat"],
			"resque:worker:{HOST}:{PID}:exports:started": working["resque:worker:{HOST}:{PID}:exports:started"],
		}, golden.Dump(t, f.redis))
		require.NoError(t, f.Retire(t.Context(), []string{goWorker}))
		assert.Subset(t, golden.Writes(empty.Commands), golden.Writes(commands()), "only what Ruby writes")
		assert.Empty(t, golden.Dump(t, f.redis))

		f.push(t, "exports", `{"class":"Exporter","args":[1]}`)
		f.register(t, goWorker)
		f.take(t, goWorker, "exports")
		assert.Equal(t, working, golden.Dump(t, f.redis))
	})
}

func TestTimesHaveRubysLayouts(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		started := time.Date(2026, 1, 15, 12, 34, 56, 0, time.FixedZone("", 3600))
		taken, err := f.Register(t.Context(), []string{"w"}, started, store.Intervals{}, false)
		require.NoError(t, err)
		assert.Equal(t, []bool{true}, taken)
		assert.Equal(t, "2026-01-15 12:34:56 +0100", f.get(t, "resque:worker:w:started"))

		before, err := f.Now(t.Context())
		require.NoError(t, err)
		f.do(t, "HSET", "resque:workers:heartbeat", "w", "long ago")
		require.NoError(t, f.Beat(t.Context(), []string{"v", "w"}, store.Intervals{}))
		beats, after, err := f.Heartbeats(t.Context())
		require.NoError(t, err)
		assert.Len(t, beats, 2)
		for _, text := range beats {
			assert.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$`, text)
			at, err := time.Parse(time.RFC3339, text)
			require.NoError(t, err)
			assert.False(t, at.Before(before.Truncate(time.Second)) || at.After(after), "on Redis's clock")
		}
	})
	assert.Equal(t, "2026-01-15T11:34:56.000000789Z", wire.FormatRunAt(time.Date(2026, 1, 15, 12, 34, 56, 789, time.FixedZone("", 3600))))
	assert.Equal(t, "2026/01/15 11:34:56 UTC", wire.FormatFailedAt(time.Date(2026, 1, 15, 12, 34, 56, 789, time.FixedZone("CET", 3600))))
}

// A worker that was pruned while it was stopped, or whose database was flushed, registers
// again with its next heartbeat.
func TestBeatRegistersAgain(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, goWorker)
		started := f.get(t, "resque:worker:"+goWorker+":started")
		require.NoError(t, f.Beat(t.Context(), []string{goWorker}, store.Intervals{}))
		assert.Equal(t, started, f.get(t, "resque:worker:"+goWorker+":started"), "a registered worker keeps its started time")
		f.do(t, "FLUSHDB")
		require.NoError(t, f.Beat(t.Context(), []string{goWorker}, store.Intervals{}))
		known, err := f.WorkerExists(t.Context(), goWorker)
		require.NoError(t, err)
		assert.True(t, known)
		assert.NotEmpty(t, f.get(t, "resque:worker:"+goWorker+":started"))
		require.NoError(t, f.Retire(t.Context(), []string{goWorker}))
		assert.Empty(t, golden.Dump(t, f.redis))
	})
}

func TestRegisterTakesOnlyFreeIDsUnlessForced(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "b")
		taken, err := f.Register(t.Context(), []string{"a", "b", "c"}, time.Now(), store.Intervals{}, false)
		require.NoError(t, err)
		assert.Equal(t, []bool{true, false, true}, taken)
		assert.Equal(t, "1970-01-01", f.get(t, "resque:worker:b:started")[:10], "the owner's time stays")
		taken, err = f.Register(t.Context(), []string{"b"}, time.Now(), store.Intervals{}, true)
		require.NoError(t, err)
		assert.Equal(t, []bool{true}, taken)
		assert.NotEqual(t, "1970-01-01", f.get(t, "resque:worker:b:started")[:10])
		workers, err := f.Workers(t.Context())
		require.NoError(t, err)
		assert.ElementsMatch(t, []string{"a", "b", "c"}, workers)
	})
}

func TestRetireReturnsUnstartedJobs(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		workers := names("w%d", 8)
		f.register(t, append(workers, "other")...)
		f.push(t, "q", "0", "\xff", "{\"class\":\"A\"}\n", "3", "4", "5", "6")
		x := f.exchange(t, []string{"q"}, nil, f.slots(workers[:6]...)...)
		require.Len(t, x.Reserved, 6)
		f.exchange(t, nil, []store.Outcome{f.failed(x.Reserved[0], "{}")})
		f.do(t, "DEL", "resque:queues")

		require.NoError(t, f.Retire(t.Context(), workers))
		assert.Equal(t, []string{"\xff", "{\"class\":\"A\"}\n", "3", "4", "5", "6"}, f.list(t, "resque:queue:q"), "order and bytes are kept")
		keys, err := redis.Strings(f.do(t, "KEYS", "*"), nil)
		require.NoError(t, err)
		assert.ElementsMatch(t, []string{
			"resque:queue:q", "resque:queues", "resque:failed", "resque:workers", "resque:workers:heartbeat",
			"resque:worker:other:started", "resque:stat:processed", "resque:stat:failed",
		}, keys)
		left, err := f.Workers(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"other"}, left)

		require.NoError(t, f.Retire(t.Context(), workers), "a second time")
		require.NoError(t, f.Retire(t.Context(), nil))
		x = f.exchange(t, []string{"q"}, nil, f.slots(workers...)...)
		assert.Empty(t, x.Reserved, "a later call takes no jobs")
		assert.Len(t, f.list(t, "resque:queue:q"), 6)
	})
}

func TestRetireKeepsARecordThatItCannotReturn(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		f.push(t, "q", "a")
		f.take(t, "w", "q")
		f.do(t, "SET", "resque:queue:q", "not a list")
		require.ErrorContains(t, f.Retire(t.Context(), []string{"w"}), "returning an unstarted job to its queue: WRONGTYPE")
		assert.Equal(t, 1, f.exists(t, recordKey("w")))
		f.do(t, "DEL", "resque:queue:q")
		require.NoError(t, f.Retire(t.Context(), []string{"w"}))
		assert.Equal(t, []string{"a"}, f.list(t, "resque:queue:q"))
	})
}

func TestPruneFinishesTheJobOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w", "idle")
		f.push(t, "q", `{"class":"A"}`, `{"class":"B"}`)
		f.take(t, "w", "q")
		beats, _, err := f.Heartbeats(t.Context())
		require.NoError(t, err)
		record, err := f.Record(t.Context(), "w")
		require.NoError(t, err)
		assert.Equal(t, "q", record.Queue)
		assert.JSONEq(t, `{"class":"A"}`, string(record.Payload))
		prune := func(r store.Record, beat string) store.Pruned {
			t.Helper()
			pruned, _, err := f.Prune(t.Context(), r, beat, store.Outcome{Effects: []store.Effect{f.Fail([]byte("dirty"))}})
			require.NoError(t, err)
			return pruned
		}
		assert.Equal(t, store.NotPruned, prune(record, "another beat"), "the heartbeat has changed")
		assert.Equal(t, store.RecordChanged, prune(store.Record{Worker: "w"}, beats["w"]))
		changed := record
		changed.Text = append([]byte(nil), record.Text[:len(record.Text)-1]...)
		assert.Equal(t, store.RecordChanged, prune(changed, beats["w"]))
		assert.Zero(t, f.exists(t, "resque:failed"))

		f.do(t, "SET", "resque:failed", "not a list")
		_, _, err = f.Prune(t.Context(), record, beats["w"], store.Outcome{Effects: []store.Effect{f.Fail([]byte("dirty"))}})
		require.ErrorContains(t, err, "WRONGTYPE")
		f.do(t, "DEL", "resque:failed")

		assert.Equal(t, store.PrunedNow, prune(record, beats["w"]))
		assert.Equal(t, store.NotPruned, prune(record, beats["w"]), "a second prune does nothing")
		assert.Equal(t, []string{"dirty"}, f.list(t, "resque:failed"))
		assert.Zero(t, f.exists(t, recordKey("w"), "resque:worker:w:started"))

		none, err := f.Record(t.Context(), "idle")
		require.NoError(t, err)
		assert.Equal(t, store.PrunedNow, prune(none, beats["idle"]))
		assert.Len(t, f.list(t, "resque:failed"), 1, "an idle worker has no job to fail")
		assert.Zero(t, f.exists(t, "resque:workers", "resque:workers:heartbeat"))
	})
}

func TestPruningLockIsExclusive(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		lock := func(token string) bool {
			t.Helper()
			ok, err := f.LockPruning(t.Context(), token, time.Minute)
			require.NoError(t, err)
			return ok
		}
		assert.True(t, lock("a"))
		assert.False(t, lock("b"))
		require.NoError(t, f.UnlockPruning(t.Context(), "b"))
		assert.False(t, lock("b"), "only the owner releases it")
		require.NoError(t, f.UnlockPruning(t.Context(), "a"))
		assert.True(t, lock("b"))
		ttl, err := redis.Int(f.do(t, "TTL", "resque:pruning_dead_workers_in_progress"), nil)
		require.NoError(t, err)
		assert.Positive(t, ttl)
		assert.LessOrEqual(t, ttl, 60)
	})
}

func TestCrashesCountsDeathsByPayload(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		count := func(payload string) int {
			t.Helper()
			n, err := f.Crashes(t.Context(), []byte(payload))
			require.NoError(t, err)
			return n
		}
		assert.Zero(t, count("a"))
		for i := range 2 {
			f.push(t, "q", "a")
			r := f.take(t, "w", "q")
			f.exchange(t, nil, []store.Outcome{{Worker: "w", Guard: r.Guard, Effects: f.Crashed(r.Payload, time.Hour)}})
			assert.Equal(t, i+1, count("a"))
		}
		assert.Zero(t, count("b"))
	})
}
