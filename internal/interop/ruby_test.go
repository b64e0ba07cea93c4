package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// start runs a server. It skips the test unless Ruby can load Resque and the
// libraries, with a json gem up to 2.10: newer ones spell floats differently, and
// these tests compare bytes.
func start(t *testing.T, libraries ...string) *redistest.Server {
	t.Helper()
	have := has(append(libraries, "resque")...)
	if !have {
		t.Logf("needs Ruby with %s and json up to 2.10; see make interop", strings.Join(append(libraries, "resque"), ", "))
	}
	redistest.Require(t, "ruby", have)
	return redistest.StartReal(t)
}

func has(libraries ...string) bool {
	args := []string{"-rjson", "-e", "exit JSON.generate(1e20) == '1.0e+20'"}
	for _, l := range libraries {
		args = append(args, "-r"+l)
	}
	return exec.Command("ruby", args...).Run() == nil
}

// ruby runs a script of testdata on server and returns its output.
func ruby(t *testing.T, server *redistest.Server, script string, args ...string) string {
	t.Helper()
	return rubyWith(t, server, nil, script, args...)
}

// rubyWith is ruby with additional environment variables.
func rubyWith(t *testing.T, server *redistest.Server, env []string, script string, args ...string) string {
	t.Helper()
	cmd := append([]string{"ruby", filepath.Join("testdata", script)}, args...)
	return run(t, append(env, "REDIS_URL="+server.URL), cmd...)
}

// run runs a command with additional environment variables and returns its output.
func run(t *testing.T, env []string, command ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // the machine may be busy
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	assert.NoError(t, cmd.Run(), "%s", &stderr) // not require: run may be called from another goroutine
	return stdout.String()
}

// reply decodes a script's output, which is JSON.
func reply[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	return v
}

// work runs a Go worker until its queues are empty.
func work(t *testing.T, server *redistest.Server, handler resque.Handler, queues ...string) {
	t.Helper()
	w := newWorker(t, server, handler, worker.Config{Queues: queues, UntilEmpty: true})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, w.Run(ctx))
	require.NoError(t, ctx.Err())
}

func newWorker(t *testing.T, server *redistest.Server, handler resque.Handler, cfg worker.Config) *worker.Worker {
	t.Helper()
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	w, err := worker.New(server.Client(t), handler, cfg)
	require.NoError(t, err)
	return w
}

// goWork runs w in a goroutine until the test ends.
func goWork(t *testing.T, w *worker.Worker) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	end := make(chan error, 1)
	go func() { end <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-end)
	})
}

func enqueue(t *testing.T, server *redistest.Server, jobs ...resque.Job) {
	t.Helper()
	client := server.Client(t)
	for _, job := range jobs {
		_, err := client.Enqueue(t.Context(), job)
		require.NoError(t, err)
	}
}

func list(t *testing.T, server *redistest.Server, key string) []string {
	t.Helper()
	items, err := redis.Strings(server.Conn(t).Do("LRANGE", key, 0, -1))
	require.NoError(t, err)
	return items
}
