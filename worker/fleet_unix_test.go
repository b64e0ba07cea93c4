//go:build unix

package worker_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// holdJobs runs a worker with two slots whose jobs end when its standard input does.
func holdJobs(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	released := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(released)
	}()
	heartbeat, err := time.ParseDuration(os.Getenv("WORKER_TEST_HEARTBEAT"))
	if err != nil {
		return err
	}
	prune, err := time.ParseDuration(os.Getenv("WORKER_TEST_PRUNE"))
	if err != nil {
		return err
	}
	rdb, err := resque.Open(resque.RedisConfig{URL: os.Getenv("WORKER_TEST_HOLD"), DialTimeout: time.Minute})
	if err != nil {
		return err
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	mux := resque.NewMux()
	mux.Handle(resque.Define1[int64]("Exporter", "exports").Handler(func(context.Context, int64) error {
		<-released
		return nil
	}))
	mux.Handle(lockedBy(&locked{}, func(context.Context, int64) error {
		<-released
		return nil
	}))
	w, err := worker.New(client, mux, worker.Config{
		Queues: []string{"exports"}, Concurrency: 2, PollInterval: 100 * time.Millisecond,
		HeartbeatInterval: heartbeat, PruneAfter: prune, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// fleet is worker processes with two slots each.
type fleet struct {
	redis.Conn
	server  *redistest.Server
	proxy   *redistest.Proxy
	log     journal
	cmds    []*exec.Cmd
	release []io.Closer
}

// The intervals of the processes. They are long compared with the delays of a busy machine:
// a watch begins again if two sweeps are more than three quarters of a heartbeat interval
// apart.
const (
	fleetHeartbeat = 4 * time.Second
	fleetPrune     = 9 * time.Second
)

// startFleet starts a Redis behind a proxy. If connections is false, it refuses to list
// them.
func startFleet(t *testing.T, connections bool) *fleet {
	t.Helper()
	s := redistest.StartReal(t)
	f := &fleet{server: s, Conn: s.Conn(t), proxy: s.Proxy(t)}
	if !connections {
		do(t, f, "ACL", "SETUSER", "default", "-client|list")
	}
	return f
}

// start starts processes and waits until they are registered.
func (f *fleet) start(t *testing.T, processes int, heartbeat, prune time.Duration) {
	t.Helper()
	for range processes {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "WORKER_TEST_HOLD="+f.proxy.URL,
			"WORKER_TEST_HEARTBEAT="+heartbeat.String(), "WORKER_TEST_PRUNE="+prune.String())
		cmd.Stderr = &f.log
		release, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		f.cmds, f.release = append(f.cmds, cmd), append(f.release, release)
	}
	f.requireRegistered(t, 2*len(f.cmds))
	// A worker without published intervals has the default ones: 5 minutes, then it is dead.
	eventually(t, func() bool { return do(t, f, "HLEN", "resque:goresque:intervals") == int64(2*len(f.cmds)) },
		"not all workers have published their intervals")
}

func (f *fleet) ids(t *testing.T) []string {
	t.Helper()
	ids, err := redis.Strings(f.Do("SMEMBERS", "resque:workers"))
	require.NoError(t, err)
	slices.Sort(ids)
	return ids
}

func (f *fleet) requireRegistered(t *testing.T, slots int) {
	t.Helper()
	eventually(t, func() bool { return len(f.ids(t)) == slots }, fmt.Sprintf("not %d workers are registered", slots))
}

// hold lets each slot take a job.
func (f *fleet) hold(t *testing.T) {
	t.Helper()
	enqueue(t, f.server, exporters(2*len(f.cmds))...)
	eventually(t, func() bool { return len(f.records(t)) == 2*len(f.cmds) }, "not all slots have a job")
}

// records returns the records of the registered workers, by id.
func (f *fleet) records(t *testing.T) map[string]string {
	t.Helper()
	records := map[string]string{}
	for _, id := range f.ids(t) {
		record, err := redis.String(f.Do("GET", "resque:worker:"+id))
		if err == nil {
			records[id] = record
		}
	}
	return records
}

// beats waits until the heartbeat of each of ids was seen to change some times.
func (f *fleet) beats(t *testing.T, ids []string, times int) {
	t.Helper()
	last, changes := map[string]string{}, map[string]int{}
	eventually(t, func() bool {
		beats, err := redis.StringMap(f.Do("HGETALL", "resque:workers:heartbeat"))
		require.NoError(t, err)
		for id, beat := range beats {
			if beat != last[id] {
				last[id] = beat
				changes[id]++
			}
		}
		return !slices.ContainsFunc(ids, func(id string) bool { return changes[id] <= times })
	}, "heartbeats are missing")
}

// requireNonePruned asserts that each slot still has its first job.
func (f *fleet) requireNonePruned(t *testing.T, records map[string]string, after string) {
	t.Helper()
	f.beats(t, slices.Collect(maps.Keys(records)), 3)
	require.Equal(t, records, f.records(t), after)
	require.Zero(t, f.log.count("pruned a dead worker"), after)
	require.EqualValues(t, 0, do(t, f, "LLEN", "resque:failed"), after)
	t.Logf("%s: 0 of %d slots pruned", after, len(records))
}

// requireDone releases the jobs and waits until all are counted.
func (f *fleet) requireDone(t *testing.T, jobs int64) {
	t.Helper()
	for _, release := range f.release {
		require.NoError(t, release.Close())
	}
	eventually(t, func() bool { return number(t, f, "resque:stat:processed") == jobs }, "not all jobs are counted")
	assert.Zero(t, number(t, f, "resque:stat:failed"))
	assert.EqualValues(t, 0, do(t, f, "LLEN", "resque:failed"))
}

// connections runs a test with a Redis that lists its connections and with one that
// refuses to.
func connections(t *testing.T, test func(t *testing.T, known bool)) {
	t.Helper()
	for name, known := range map[string]bool{"connections are known": true, "connections are unknown": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, known)
		})
	}
}

// Redis's clock jumps, Redis is away for longer than the prune interval, and then it
// refuses writes for as long. No worker is pruned.
func TestLiveWorkersAreNotPruned(t *testing.T) {
	t.Parallel()
	connections(t, func(t *testing.T, known bool) {
		f := startFleet(t, known)
		f.start(t, 4, fleetHeartbeat, fleetPrune)
		f.hold(t)
		records := f.records(t)
		f.beats(t, f.ids(t), 2)

		f.proxy.SetClock(400 * time.Second)
		f.requireNonePruned(t, records, "a jump of 400 s")
		f.proxy.SetClock(-400 * time.Second)
		f.requireNonePruned(t, records, "a jump of -800 s")
		f.proxy.SetClock(0)

		_, end := f.proxy.Refuse()
		do(t, f, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		<-time.After(fleetPrune + fleetHeartbeat)
		end()
		f.requireNonePruned(t, records, "an outage longer than the prune interval")

		do(t, f, "CONFIG", "SET", "maxmemory", "1")
		<-time.After(fleetPrune + fleetHeartbeat)
		do(t, f, "CONFIG", "SET", "maxmemory", "0")
		f.requireNonePruned(t, records, "writes refused for longer than the prune interval")
		f.requireDone(t, int64(len(records)))
	})
}

// Two fleets have different settings: the prune interval of one is shorter than the
// heartbeat interval of the other.
func TestFleetsWithOtherSettingsAreNotPruned(t *testing.T) {
	t.Parallel()
	connections(t, func(t *testing.T, known bool) {
		f := startFleet(t, known)
		f.start(t, 2, 8*time.Second, 20*time.Second)
		f.start(t, 2, 3*time.Second, 6*time.Second)
		f.hold(t)
		records := f.records(t)
		published, err := redis.StringMap(f.Do("HGETALL", "resque:goresque:intervals"))
		require.NoError(t, err)
		require.Len(t, published, 8)
		require.ElementsMatch(t, slices.Repeat([]string{"8 20", "3 6"}, 4), slices.Collect(maps.Values(published)))
		f.requireNonePruned(t, records, "two fleets")
		f.requireDone(t, 8)
		for _, cmd := range f.cmds {
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		}
		f.requireRegistered(t, 0)
		require.EqualValues(t, 0, do(t, f, "EXISTS", "resque:goresque:intervals"), "it is removed with the registrations")
	})
}

// A process is stopped for longer than the prune interval. As long as its connection is
// open, its slots keep their jobs. Without connections its slots are pruned; when it
// continues, they register again.
func TestStoppedProcessIsThereAgain(t *testing.T) {
	t.Parallel()
	connections(t, func(t *testing.T, known bool) {
		f := startFleet(t, known)
		f.start(t, 4, fleetHeartbeat, fleetPrune)
		ids := f.ids(t)
		if known {
			f.hold(t)
		}
		records := f.records(t)
		require.NoError(t, f.cmds[0].Process.Signal(syscall.SIGSTOP))
		if known {
			<-time.After(fleetPrune + 2*fleetHeartbeat)
		} else {
			f.requireRegistered(t, 6)
		}
		require.NoError(t, f.cmds[0].Process.Signal(syscall.SIGCONT))
		eventually(t, func() bool { return slices.Equal(ids, f.ids(t)) }, "the slots have not registered again")
		f.beats(t, ids, 2)
		if known {
			f.requireNonePruned(t, records, "a process was stopped")
			f.requireDone(t, 8)
		}
	})
}

// After FLUSHDB, all slots register again at the next heartbeat, those with jobs and
// those without, and take new jobs.
func TestWorkersRegisterAgainAfterFlush(t *testing.T) {
	t.Parallel()
	f := startFleet(t, true)
	f.start(t, 4, fleetHeartbeat, fleetPrune)
	ids := f.ids(t)
	enqueue(t, f.server, exporters(4)...)
	eventually(t, func() bool { return len(f.records(t)) == 4 }, "4 slots of 8 have a job")
	do(t, f, "FLUSHDB")
	flushed := time.Now()
	eventually(t, func() bool { return slices.Equal(ids, f.ids(t)) }, "the slots have not registered again")
	t.Logf("8 slots registered again after %v, the heartbeat interval is %v", time.Since(flushed).Round(time.Millisecond), fleetHeartbeat)
	f.beats(t, ids, 1)
	enqueue(t, f.server, exporters(8)...)
	f.requireDone(t, 8) // the jobs that were flushed are not counted
}

// A killed worker's jobs are failed after about two heartbeat intervals, and those of a
// Ruby worker after the prune interval.
func TestDeadWorkersArePrunedInTime(t *testing.T) {
	t.Parallel()
	f := startFleet(t, true)
	f.start(t, 4, fleetHeartbeat, fleetPrune)
	f.hold(t)
	const ruby = "elsewhere:17:exports"
	began := time.Now()
	do(t, f, "SADD", "resque:workers", ruby)
	do(t, f, "SET", "resque:worker:"+ruby, `{"queue":"exports","run_at":"2026-01-01T00:00:00Z","payload":{"class":"Exporter","args":[17]}}`)
	do(t, f, "HSET", "resque:workers:heartbeat", ruby, wire.FormatHeartbeat(time.Now()))
	require.NoError(t, f.cmds[0].Process.Kill())

	var took, rubyTook time.Duration // the Ruby worker may be the first
	eventually(t, func() bool {
		ids := f.ids(t)
		isRuby := slices.Contains(ids, ruby)
		if took == 0 && (len(ids) == 6 && !isRuby || len(ids) == 7 && isRuby) {
			took = time.Since(began)
		}
		if rubyTook == 0 && !isRuby {
			rubyTook = time.Since(began)
		}
		return took > 0 && rubyTook > 0
	}, "the killed worker and Ruby's are not pruned")
	t.Logf("a killed Go worker was pruned after %v, the heartbeat interval is %v", took.Round(10*time.Millisecond), fleetHeartbeat)
	assert.Greater(t, took, fleetHeartbeat)
	t.Logf("a Ruby worker was pruned after %v, the prune interval is %v", rubyTook.Round(10*time.Millisecond), fleetPrune)
	assert.GreaterOrEqual(t, rubyTook, fleetPrune)
	require.EqualValues(t, 3, do(t, f, "LLEN", "resque:failed"))
	f.requireRegistered(t, 6)
}
