//go:build unix

package cli_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// Closing the terminal ends a worker as TERM does: its job finishes and it
// unregisters.
func TestHangUpStopsAWorkerAsTermDoes(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	cmd := working(t, s, "300ms")
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	require.NoError(t, cmd.Wait(), "exit status 0")
	c := s.Conn(t)
	processed, err := redis.Int(c.Do("GET", "resque:stat:processed"))
	require.NoError(t, err)
	assert.Equal(t, 1, processed)
	keys, err := redis.Strings(c.Do("KEYS", "resque:worker*"))
	require.NoError(t, err)
	assert.Empty(t, keys)
}

func TestWorkersForwardsHangUp(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	cmd := command([]string{"REDIS_URL=" + s.URL, "QUEUE=slow", "COUNT=2"}, "workers")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	eventually(t, func() bool { return slots(t, s) == 2 }, "two workers")
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	require.NoError(t, cmd.Wait())
	assert.Zero(t, slots(t, s), "no process is left running unsupervised")
}

func TestHangUpStaysIgnoredUnderNohup(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	worker := command([]string{"REDIS_URL=" + s.URL, "QUEUE=slow"}, "work")
	cmd := exec.Command("nohup", append([]string{worker.Path}, worker.Args[1:]...)...)
	cmd.Env = worker.Env
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	eventually(t, func() bool { return slots(t, s) == 1 }, "the worker")
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	_, err := s.Client(t).Enqueue(t.Context(), resque.Job{Queue: "slow", Class: "Slow", Args: []any{"1ms"}})
	require.NoError(t, err)
	eventually(t, func() bool { return processed(t, s) == 1 }, "the worker continues")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	assert.False(t, signal.Ignored(syscall.SIGHUP), "otherwise this test shows nothing")
}

// The reader of the log may end at any time.
func TestWorkContinuesWithoutReaderOfLog(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"work", "workers", "a process per job"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			args := []string{strings.Split(command, " ")[0]}
			if args[0] == "a" {
				args = []string{"work", "--fork-per-job"}
			}
			cmd := commandOf(s, args...)
			stderr, err := cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			eventually(t, func() bool { return slots(t, s) == 1 }, "the worker")
			require.NoError(t, stderr.Close())
			for range 2 { // each job logs a line
				_, err := s.Client(t).Enqueue(t.Context(), resque.Job{Queue: "slow", Class: "Slow", Args: []any{"1ms"}})
				require.NoError(t, err)
			}
			eventually(t, func() bool { return processed(t, s) == 2 }, "the worker continues")
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			require.NoError(t, cmd.Wait())
			assert.Zero(t, slots(t, s))
			failed, err := redis.Int(s.Conn(t).Do("LLEN", "resque:failed"))
			require.NoError(t, err)
			assert.Zero(t, failed)
		})
	}
}

// A signal while the command connects ends it without an error about Redis and
// without a dump of goroutines.
func TestSignalsWhileConnectingEndQuietly(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		for _, args := range [][]string{{"work"}, {"web"}} {
			t.Run(sig.String()+" "+args[0], func(t *testing.T) {
				t.Parallel()
				cmd, stderr := connecting(t, args...)
				require.NoError(t, cmd.Process.Signal(sig))
				said, err := io.ReadAll(stderr)
				require.NoError(t, err)
				require.NoError(t, cmd.Wait(), "exit status 0")
				assert.Empty(t, string(said))
			})
		}
	}
}

// A second INT at once, as from an impatient user, ends it just as quietly. The command
// may have stopped to catch signals before it arrives.
func TestASecondINTWhileConnectingEndsQuietly(t *testing.T) {
	t.Parallel()
	cmd, stderr := connecting(t, "work")
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		require.ErrorIs(t, err, os.ErrProcessDone)
	}
	said, err := io.ReadAll(stderr)
	require.NoError(t, err)
	_ = cmd.Wait()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	assert.True(t, status.ExitStatus() == 0 || status.Signal() == syscall.SIGINT, "%v", cmd.ProcessState)
	assert.Empty(t, string(said))
}

// connecting starts a command and waits until it is connected to a server that never
// answers.
func connecting(t *testing.T, args ...string) (cmd *exec.Cmd, stderr io.Reader) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	cmd = command([]string{"REDIS_URL=" + l.Addr().String(), "QUEUE=slow"}, args...)
	stderr, err = cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	c, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = bufio.NewReader(c).ReadByte() // it waits for an answer
	require.NoError(t, err)
	return cmd, stderr
}

func commandOf(s *redistest.Server, args ...string) *exec.Cmd {
	return command([]string{"REDIS_URL=" + s.URL, "QUEUE=slow"}, args...)
}

func processed(t *testing.T, s *redistest.Server) int {
	t.Helper()
	n, err := redis.Int(s.Conn(t).Do("GET", "resque:stat:processed"))
	if !errors.Is(err, redis.ErrNil) {
		require.NoError(t, err)
	}
	return n
}
