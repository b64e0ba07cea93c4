//go:build linux

package chaos_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

// fault is a row of the table.
type fault struct {
	name    string
	promise string   // what docs/reliability.md promises
	args    []string // of the server
	plain   bool     // without jobs that are delayed
	group   bool     // Redis is a master and a replica with Sentinels, and Enqueue waits for the replica
	ruby    bool     // a Ruby worker takes part, if Ruby's Resque is there: the fault does not concern it
	before  func(*world)
	inject  func(*world)
}

// Promises.
const (
	once  = "each job once"
	again = "none lost; jobs that ran may run again"
	seen  = "none lost; the job that ran fails visibly"
)

// faults returns all faults. Each outage lasts for outage.
func faults(outage time.Duration) []fault {
	await := func() { <-time.After(outage) } // the fault itself, no wait for an event
	return []fault{
		{name: "`kill -9` of a worker", promise: again, ruby: true, inject: func(w *world) { w.kill(roleWorker) }},
		{name: "`kill -9` of a job's child process", promise: seen, ruby: true, inject: killChild},
		{name: "`kill -9` of a worker with child processes", promise: again, ruby: true, inject: func(w *world) { w.kill(roleFork) }},
		{name: "`kill -9` of the scheduler", promise: once, ruby: true, inject: func(w *world) { w.kill(roleScheduler) }},
		{
			name: "`kill -9` of Redis, with `appendfsync always`", promise: once,
			args: []string{"--appendonly", "yes", "--appendfsync", "always"}, inject: (*world).killRedis,
		},
		{name: "TERM to a worker, and a new one", promise: again, ruby: true, inject: func(w *world) {
			old := w.processes[roleWorker]
			w.start(roleWorker)
			require.NoError(w.t, old.Process.Signal(syscall.SIGTERM))
		}},
		{name: "SIGSTOP of a worker for longer than the prune interval, then CONT", promise: again, ruby: true, inject: func(w *world) {
			w.signal(roleWorker, syscall.SIGSTOP)
			w.drop() // or its open connection keeps it alive
			<-time.After(2*heartbeat + prune)
			w.signal(roleWorker, syscall.SIGCONT)
		}},
		{name: "half-open connections: the network loses everything", promise: once, inject: func(w *world) {
			end := w.proxy.Silence()
			await()
			end()
		}},
		{name: "Redis cannot be reached", promise: once, inject: func(w *world) {
			_, end := w.proxy.Refuse()
			w.drop()
			await()
			end()
		}},
		{name: "Redis stopped (SIGSTOP), then CONT", promise: once, inject: func(w *world) {
			require.NoError(w.t, syscall.Kill(w.server.PID, syscall.SIGSTOP))
			await()
			require.NoError(w.t, syscall.Kill(w.server.PID, syscall.SIGCONT))
		}},
		{
			name: "Redis loads its data while the fleet starts", promise: once,
			before: func(w *world) {
				w.do("DEBUG", "POPULATE", 2000, "filler")
				w.do("CONFIG", "SET", "key-load-delay", int64(outage/time.Microsecond)/2000)
				go func() { _, _ = w.try("DEBUG", "RELOAD") }()
				w.eventually("it loads", func() bool {
					_, err := w.try("GET", "filler:1")
					return err != nil && strings.HasPrefix(err.Error(), "LOADING")
				})
			},
			args:   []string{"--loading-process-events-interval-bytes", "1024"},
			inject: func(*world) {},
		},
		{name: "READONLY: Redis becomes a replica", promise: once, inject: func(w *world) {
			w.do("REPLICAOF", "127.0.0.1", 1)
			await()
			w.do("REPLICAOF", "NO", "ONE")
		}},
		{name: "OOM: memory is full", promise: once, inject: func(w *world) {
			w.do("CONFIG", "SET", "maxmemory", 1)
			await()
			w.do("CONFIG", "SET", "maxmemory", 0)
		}},
		{name: "MISCONF: the disk cannot be written", promise: once, inject: func(w *world) {
			w.do("CONFIG", "SET", "save", "3600 1", "dir", "/proc")
			w.do("BGSAVE")
			w.eventually("saving failed", func() bool {
				return strings.Contains(string(w.do("INFO", "persistence").([]byte)), "rdb_last_bgsave_status:err")
			})
			await()
			w.do("CONFIG", "SET", "save", "")
		}},
		{name: "Redis's clock, as clients read it, jumps by +10 and -10 minutes", promise: once, plain: true, inject: func(w *world) {
			for _, d := range []time.Duration{10 * time.Minute, -10 * time.Minute, 0} {
				w.proxy.SetClock(d)
				await()
			}
		}},
		{name: "connections are cut before one in ten commands", promise: once, inject: func(w *world) {
			w.proxy.Watch(func([]byte) bool { return rand.IntN(10) > 0 })
			await()
			w.proxy.Watch(func([]byte) bool { return true })
		}},
		{name: "replies are lost after Redis ran the commands", promise: once, inject: func(w *world) {
			end := time.Now().Add(outage)
			for time.Now().Before(end) {
				w.proxy.Cut()
				<-time.After(10 * time.Millisecond)
			}
		}},
		{name: "failover by command (`SENTINEL FAILOVER`)", promise: again, group: true, inject: func(w *world) { w.group.Failover(w.t) }},
		{name: "`kill -9` of the master, failover by Sentinel", promise: again, group: true, inject: func(w *world) {
			old := w.group.Master(w.t)
			require.NoError(w.t, syscall.Kill(w.group.Server(old).PID, syscall.SIGKILL))
			w.group.AwaitMaster(w.t, old)
			w.group.Restart(w.t, old) // or no replica acknowledges jobs
		}},
		{name: "scripts are flushed all the time", promise: once, inject: func(w *world) {
			end := time.Now().Add(outage)
			for time.Now().Before(end) {
				w.do("SCRIPT", "FLUSH")
			}
		}},
	}
}

// killChild kills a child process that performs a job.
func killChild(w *world) {
	w.t.Helper()
	pid := strconv.Itoa(w.processes[roleFork].Process.Pid)
	var killed atomic.Bool
	w.eventually("a child is killed", func() bool {
		tasks, err := os.ReadDir("/proc/" + pid + "/task")
		if err != nil {
			return false
		}
		for _, task := range tasks {
			children, err := os.ReadFile("/proc/" + pid + "/task/" + task.Name() + "/children")
			if err != nil {
				continue
			}
			for _, child := range strings.Fields(string(children)) {
				if id, err := strconv.Atoi(child); err == nil && syscall.Kill(id, syscall.SIGKILL) == nil {
					killed.Store(true)
				}
			}
		}
		return killed.Load()
	})
}
