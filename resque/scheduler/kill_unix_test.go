//go:build unix

package scheduler_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// TestMain runs the test binary as a scheduler, for tests that kill it.
func TestMain(m *testing.M) {
	url := os.Getenv("SCHEDULER_TEST_URL")
	if url == "" {
		os.Exit(m.Run())
	}
	rdb, err := resque.Open(resque.RedisConfig{URL: url, DialTimeout: time.Minute})
	if err != nil {
		panic(err)
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		panic(err)
	}
	s, err := scheduler.New(client, scheduler.Config{LockTTL: time.Second, Interval: 100 * time.Millisecond, BatchSize: 10, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	if err := s.Run(context.Background()); err != nil {
		panic(err)
	}
}

// process runs a scheduler as a process, which is killed at the end of the test.
func process(t *testing.T, url string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SCHEDULER_TEST_URL="+url)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// A scheduler is killed before each of its commands in turn. The next one enqueues what
// is left, and each job once.
func TestKillBeforeEachCommand(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := rdb{s.Conn(t)}
	for n := int64(1); ; n++ {
		c.do(t, "FLUSHALL")
		l := &ledger{rdb: c}
		l.add(t, 65, 3)
		p := s.Proxy(t)
		killed := make(chan struct{})
		var started sync.WaitGroup
		started.Add(1)
		var commands atomic.Int64
		var cmd *exec.Cmd
		p.Watch(func([]byte) bool {
			started.Wait()
			at := commands.Add(1)
			if at == n {
				_ = cmd.Process.Kill()
				close(killed)
			}
			return at < n
		})
		cmd = process(t, p.URL)
		started.Done()
		finished := false
		until(t, "it is killed or has finished", func() bool {
			select {
			case <-killed:
				return true
			default:
				finished = l.enqueued(t) == l.jobs && c.exists(t, "resque:delayed_queue_schedule") == 0
				return finished
			}
		})
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if finished {
			assert.Greater(t, n, int64(10), "it was killed often")
			l.check(t)
			return
		}
		next := start(t, s, scheduler.Config{Interval: 50 * time.Millisecond})
		until(t, "the next scheduler enqueues the rest", func() bool { return l.enqueued(t) >= l.jobs })
		next.stop()
		l.check(t)
	}
}

// stoppedAtMove runs a scheduler's process and stops it when it sends its first move,
// which goOn lets pass. goOn also continues the process. commands counts what it sends.
func stoppedAtMove(t *testing.T, s *redistest.Server) (goOn func(), commands *atomic.Int64) {
	t.Helper()
	p := s.Proxy(t)
	stopped, resume := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(resume) })
	t.Cleanup(release)
	commands = new(atomic.Int64)
	var cmd *exec.Cmd
	var started sync.WaitGroup
	started.Add(1)
	stop := sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGSTOP)
		close(stopped)
		<-resume
	})
	p.Watch(func(sent []byte) bool {
		started.Wait()
		if bytes.Contains(sent, []byte("resque:timestamps:")) {
			stop()
		}
		commands.Add(1)
		return true
	})
	cmd = process(t, p.URL)
	started.Done()
	<-stopped
	return func() {
		release()
		require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	}, commands
}

// A scheduler that is stopped for longer than its lock lasts, with a move on its way,
// changes nothing when it continues, even if all is as it has read it.
func TestStoppedPastTheLock(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := rdb{s.Conn(t)}
	l := &ledger{rdb: c}
	l.add(t, 30, 3)
	goOn, commands := stoppedAtMove(t, s)
	until(t, "the lock expires", func() bool { return c.exists(t, lock) == 0 })
	c.do(t, "SET", lock, "localhost:4242")
	before := commands.Load()
	goOn()
	until(t, "it sends the move, and looks who is master", func() bool { return commands.Load() >= before+3 })
	assert.Zero(t, l.enqueued(t))
	c.do(t, "DEL", lock)
	until(t, "it is master again and enqueues all", func() bool { return l.enqueued(t) == l.jobs })
	l.check(t)
}

// Another scheduler continues while the first is stopped.
func TestStoppedWhileAnotherIsMaster(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	l := &ledger{rdb: rdb{s.Conn(t)}}
	l.add(t, 30, 3)
	goOn, commands := stoppedAtMove(t, s)
	next := start(t, s, scheduler.Config{Interval: 50 * time.Millisecond, BatchSize: 4})
	until(t, "the next scheduler enqueues all", func() bool { return l.enqueued(t) == l.jobs })
	before := commands.Load()
	goOn()
	until(t, "the first sends its move, and looks who is master", func() bool { return commands.Load() >= before+3 })
	l.add(t, 30, 3)
	until(t, "the next scheduler enqueues more", func() bool { return l.enqueued(t) >= l.jobs })
	assert.True(t, next.State().Master)
	next.stop()
	l.check(t)
}
