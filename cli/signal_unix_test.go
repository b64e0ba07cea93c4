//go:build unix

package cli_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/cli/testdata/jobs"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// TestMain makes the test binary act as the command, for tests that need a process to
// send signals to.
func TestMain(m *testing.M) {
	if os.Getenv("CLI_TEST_COMMAND") == "" {
		if signal.Ignored(syscall.SIGHUP) { // under nohup; the commands that tests start would inherit it
			signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
		}
		os.Exit(redistest.Run(m))
	}
	mux := resque.NewMux()
	mux.Handle(resque.Define1[string]("Slow", "slow").Handler(func(ctx context.Context, length string) error {
		limit, err := time.ParseDuration(length)
		if err != nil {
			return err
		}
		println("begun") //nolint:forbidigo // to standard error, which the test reads
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(limit):
			return nil
		}
	}))
	jobs.Add(mux)
	os.Exit(cli.Main(cli.App{Mux: knows(mux), Redis: patientRedis()}))
}

// working starts the command with a job of some duration and returns when the job
// runs.
func working(t *testing.T, s *redistest.Server, length string) *exec.Cmd {
	t.Helper()
	client := s.Client(t)
	_, err := client.Enqueue(t.Context(), resque.Job{Queue: "slow", Class: "Slow", Args: []any{length}})
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0], "work")
	cmd.Env = append(os.Environ(), "CLI_TEST_COMMAND=1", "REDIS_URL="+s.URL, "QUEUE=slow")
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "begun") {
			go func() { // the pipe must not fill up
				for lines.Scan() {
				}
			}()
			return cmd
		}
	}
	require.Fail(t, "the job did not begin")
	return nil
}

func TestSignalsFinishTheRunningJob(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			cmd := working(t, s, "300ms")
			require.NoError(t, cmd.Process.Signal(sig))
			require.NoError(t, cmd.Wait(), "exit status 0")
			c := s.Conn(t)
			processed, err := redis.Int(c.Do("GET", "resque:stat:processed"))
			require.NoError(t, err)
			assert.Equal(t, 1, processed)
			keys, err := redis.Strings(c.Do("KEYS", "resque:worker*"))
			require.NoError(t, err)
			assert.Empty(t, keys, "the worker has unregistered")
		})
	}
}
