//go:build linux

package chaos_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// deadline is only reached on failure.
const deadline = 3 * time.Minute

// world is a fleet, its Redis and the client that enqueues.
type world struct {
	t      *testing.T
	server *redistest.Server
	proxy  *redistest.Proxy
	group  *redistest.Group // instead of server and proxy
	url    string           // for the fleet
	args   []string         // of the server
	ledger string
	plain  bool // no job is delayed

	mu        sync.Mutex
	processes map[string]*exec.Cmd
	logs      bytes.Buffer

	acked, unknown []int // the jobs that were enqueued, and that may have been
	enqueued       atomic.Int64
}

// newWorld starts the Redis for a fault.
func newWorld(t *testing.T, f fault) *world {
	t.Helper()
	args := append([]string{"--dir", t.TempDir(), "--enable-protected-configs", "yes", "--enable-debug-command", "yes"}, f.args...)
	w := &world{t: t, args: args, ledger: filepath.Join(t.TempDir(), "ledger"), processes: map[string]*exec.Cmd{}, plain: f.plain}
	if f.group {
		w.group = redistest.StartSentinels(t, 3)
		w.url = w.group.URL
	} else {
		w.server = redistest.StartReal(t, args...)
		w.proxy = w.server.Proxy(t)
		w.url = w.proxy.URL
	}
	t.Cleanup(func() {
		if t.Failed() || os.Getenv("CHAOS_LOG") != "" {
			w.mu.Lock()
			defer w.mu.Unlock()
			t.Logf("the fleet's log:\n%s", w.logs.Bytes()[max(0, w.logs.Len()-8000):])
		}
	})
	return w
}

// logKeys logs what is left in Redis.
func (w *world) logKeys() {
	keys, err := redis.Strings(w.try("KEYS", "resque:*"))
	w.t.Logf("keys: %q %v", keys, err)
	for _, key := range keys {
		if value, err := redis.String(w.try("GET", key)); err == nil {
			w.t.Logf("%s: %.200s", key, value)
		}
	}
}

// Write gets the logs of the processes.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logs.Write(p)
}

// start starts a process of the fleet.
func (w *world) start(role string) {
	w.t.Helper()
	cmd := command(role)
	cmd.Env = append(os.Environ(), envRole+"="+role, envRedis+"="+w.url, envLedger+"="+w.ledger)
	cmd.Stderr = w
	require.NoError(w.t, cmd.Start())
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	w.processes[role] = cmd
}

// kill kills a process at once and starts another one.
func (w *world) kill(role string) {
	w.t.Helper()
	old := w.processes[role]
	require.NoError(w.t, old.Process.Kill())
	_ = old.Wait()
	w.start(role)
}

func (w *world) signal(role string, s syscall.Signal) {
	w.t.Helper()
	require.NoError(w.t, w.processes[role].Process.Signal(s))
}

// killRedis kills the server and starts it again with the data on its disk.
func (w *world) killRedis() {
	w.t.Helper()
	require.NoError(w.t, syscall.Kill(w.server.PID, syscall.SIGKILL))
	port := w.server.URL[strings.LastIndex(w.server.URL, ":")+1:]
	w.server.PID = redistest.StartAgain(w.t, append([]string{"--port", port}, w.args...)...).PID
}

// do runs a command on the server, past the proxy.
func (w *world) do(command string, args ...any) any {
	w.t.Helper()
	reply, err := w.try(command, args...)
	require.NoError(w.t, err)
	return reply
}

func (w *world) try(command string, args ...any) (any, error) {
	c, err := w.dial()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Do(command, args...)
}

// dial connects to the server, or to the master of the group, past the proxy.
func (w *world) dial() (redis.Conn, error) {
	if w.group != nil {
		return redis.DialURL(w.group.Server(w.group.Master(w.t)).URL)
	}
	return redis.DialURL(w.server.URL)
}

// end kills the fleet.
func (w *world) end() {
	for _, cmd := range w.processes {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// drop closes all connections of clients.
func (w *world) drop() {
	w.t.Helper()
	w.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	w.do("CLIENT", "KILL", "TYPE", "pubsub")
}

// produce enqueues jobs until there are enough. A job that was certainly not queued is
// tried again; one that may have been is not.
func (w *world) produce(ctx context.Context, jobs int) error {
	rdb, err := resque.Open(resque.RedisConfig{URL: w.url, ReadTimeout: 2 * time.Second})
	if err != nil {
		return err
	}
	defer rdb.Close()
	cfg := resque.Config{}
	if w.group != nil {
		cfg.WaitReplicas = 1
	}
	client, err := resque.New(rdb, cfg)
	if err != nil {
		return err
	}
	for id := 1; len(w.acked) < jobs && ctx.Err() == nil; {
		job := exporter.Job(id)
		switch {
		case w.plain:
		case id%10 == 0:
			job = job.In(time.Second)
		case id%10 == 5:
			job = flaky.Job(id)
		}
		_, err := client.Enqueue(ctx, job)
		switch {
		case err == nil:
			w.acked = append(w.acked, id)
			w.enqueued.Add(1)
			id++
			continue
		case errors.Is(err, resque.ErrMaybeQueued) || errors.Is(err, resque.ErrNotReplicated):
			w.unknown = append(w.unknown, id)
			id++
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// book is what the ledger says: how often each job was begun and done.
type book struct{ begun, done map[int]int }

func (w *world) read() book {
	w.t.Helper()
	b := book{map[int]int{}, map[int]int{}}
	text, err := os.ReadFile(w.ledger)
	if errors.Is(err, os.ErrNotExist) {
		return b
	}
	require.NoError(w.t, err)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		what, number, _ := strings.Cut(lines.Text(), " ")
		id, err := strconv.Atoi(number)
		require.NoError(w.t, err, lines.Text())
		if what == "begun" {
			b.begun[id]++
		} else {
			b.done[id]++
		}
	}
	return b
}

// failed returns how many failures of each job are recorded.
func (w *world) failed() map[int]int {
	w.t.Helper()
	client := (&redistest.Server{URL: w.url}).Client(w.t)
	failed := map[int]int{}
	for f, err := range client.Failures().Oldest(w.t.Context(), resque.FailureFilter{}) {
		require.NoError(w.t, err)
		var id int
		if f.Class == "Flaky" && strings.Contains(f.Error, "the first attempt") {
			continue // of an attempt that was retried
		}
		require.NoError(w.t, f.Bind(&id))
		failed[id]++
	}
	return failed
}

// result is a row of the table.
type result struct {
	jobs, failed, lost, twice, unknown int
	recovery                           time.Duration
}

// run enqueues jobs, injects a fault when a third of them is enqueued, and waits until
// all jobs have ended.
func (w *world) run(jobs int, inject func(*world)) result {
	w.t.Helper()
	ctx, stop := context.WithCancel(w.t.Context())
	defer stop()
	var producing sync.WaitGroup
	var produced error
	producing.Go(func() { produced = w.produce(ctx, jobs) })
	w.eventually("a third of the jobs is enqueued", func() bool { return w.enqueued.Load() >= int64(jobs/3) })
	inject(w)
	ended, before := time.Now(), len(w.read().done)
	w.eventually("jobs are done again", func() bool { return len(w.read().done) > before || w.idle() })
	r := result{recovery: time.Since(ended)}
	w.eventually("all jobs are enqueued", func() bool { return w.enqueued.Load() >= int64(jobs) })
	producing.Wait()
	require.NoError(w.t, produced)
	w.eventually("no job waits or runs", w.idle)

	b, failed := w.read(), w.failed()
	r.jobs, r.unknown = len(w.acked), len(w.unknown)
	for _, id := range w.acked {
		switch {
		case b.done[id] > 0:
		case failed[id] > 0:
			r.failed++
		default:
			r.lost++
			w.t.Logf("job %d is lost: begun %d times", id, b.begun[id])
		}
	}
	for _, n := range b.begun {
		if n > 1 {
			r.twice++
		}
	}
	return r
}

func (w *world) eventually(what string, condition func() bool) {
	w.t.Helper()
	if !assert.Eventually(w.t, condition, deadline, 20*time.Millisecond, what) {
		w.logKeys()
		w.t.FailNow()
	}
}

// idle reports whether no job waits, is delayed, or runs. It looks in one step: a job may be
// moved in the meantime.
func (w *world) idle() bool {
	const look = `local n = redis.call('LLEN', 'resque:queue:exports') + redis.call('ZCARD', 'resque:delayed_queue_schedule')
for _, key in ipairs(redis.call('KEYS', 'resque:worker:*')) do
  if not key:find(':started$') then
    n = n + 1
  end
end
return n`
	n, err := redis.Int(w.try("EVAL", look, 0))
	return err == nil && n == 0
}

func (r result) String() string {
	return fmt.Sprintf("%d jobs, %d failed visibly, %d lost, %d begun more than once, %d perhaps queued, recovery %v",
		r.jobs, r.failed, r.lost, r.twice, r.unknown, r.recovery.Round(time.Millisecond))
}
