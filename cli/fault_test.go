package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// Every command reports the cause of a fault. It asks whether Redis is running only
// if nothing answers.
func TestCommandsNameTheCauseOfAFault(t *testing.T) {
	t.Parallel()
	for _, server := range redistest.FaultyServers() {
		t.Run(server.Name, func(t *testing.T) {
			t.Parallel()
			args := []string{"queues"}
			if server.Writes {
				args = []string{"enqueue", "-q", "q", "A", `"s3cretArg"`}
			}
			got := run(t, nil, []string{"REDIS_URL=" + server.Start(t)}, args...)
			assert.Equal(t, 1, got.status)
			assert.Empty(t, got.stdout)
			lines := strings.SplitN(got.stderr, "\n", 3)
			require.Len(t, lines, 3, got.stderr)
			fault, ok := faultOf(server.Code)
			if ok {
				assert.Equal(t, fault.Cause+". "+fault.Advice, lines[1])
			}
			assert.Equal(t, server.Code == resque.FaultUnreachable, strings.Contains(got.stderr, "Is it running?"), got.stderr)
			for _, hidden := range []string{"s3cret", "guessed", "w0rd", "user_script"} {
				assert.NotContains(t, got.stderr, hidden)
			}
		})
	}
}

// A worker that is started while Redis is loading waits for it.
func TestWorkWaitsWhileRedisLoads(t *testing.T) {
	t.Parallel()
	s, loaded := redistest.Loading(t)
	log := &syncBuffer{}
	ended := make(chan int, 1)
	go func() {
		ended <- cli.App{}.Run(t.Context(), []string{"work"}, []string{"REDIS_URL=" + s.URL, "QUEUE=a", "INTERVAL=0"}, log, log)
	}()
	eventually(t, func() bool { return strings.Contains(log.String(), "redis is not ready, retrying") }, "it waits")
	assert.Contains(t, log.String(), "Redis is loading its data")
	loaded()
	assert.Equal(t, 0, <-ended, log.String())
	assert.Contains(t, log.String(), "redis is ready")
	assert.Equal(t, 1, strings.Count(log.String(), "redis is not ready"), "logged once")
}

func TestWorkDoesNotWaitForPermanentFaults(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t, "--requirepass", "s3cret")
	got := run(t, nil, []string{"REDIS_URL=" + s.URL, "QUEUE=a"}, "work")
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stderr, "Redis refused the user or the password")
}

// A database that App.Mux cannot reach is not reported as a fault of Redis.
func TestErrorOfTheJobsIsNotExplainedAsOneOfRedis(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	away := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	app := cli.App{Mux: func(context.Context, *resque.Client) (*resque.Mux, error) {
		return nil, fmt.Errorf("opening the database: %w", away)
	}}
	for _, args := range [][]string{{"work", "-q", "a"}, {"enqueue", "-q", "a", "A"}, {"cancel", "-q", "a", "A"}} {
		var stderr bytes.Buffer
		assert.Equal(t, 1, app.Run(t.Context(), args, []string{"REDIS_URL=" + s.URL}, &bytes.Buffer{}, &stderr), args)
		assert.Contains(t, stderr.String(), "opening the database: dial tcp: connection refused\n", args)
		assert.NotRegexp(t, "Redis|redis-server", stderr.String(), args)
	}
}

// A filter that is given but empty would match everything.
func TestEmptyFlagIsUsageError(t *testing.T) {
	t.Parallel()
	environ := []string{"REDIS_URL=127.0.0.1:1"} // never connected
	for _, command := range []string{"retry", "remove"} {
		for _, flag := range []string{"class", "queue", "exception", "text", "list"} {
			for _, value := range []string{"", " "} {
				got := run(t, nil, environ, "failed", command, "--all", "--yes", "--"+flag, value)
				assert.Equal(t, 2, got.status, "%s --%s %q", command, flag, value)
				assert.Contains(t, got.stderr, "--"+flag+" is empty")
			}
		}
	}
	for _, args := range [][]string{
		{"failed", "clear", "--yes", "--list", ""},
		{"failed", "list", "--class", ""},
		{"failed", "retry", "--to-queue", "", "1-0"},
		{"failed", "retry", "--args", "", "1-0"},
		{"work", "-q", ""},
		{"enqueue", "-q", "", "A"},
		{"queues", "-N", ""},
		{"queues", "-r", ""},
		{"web", "--password", ""},
		{"web", "--host", ""},
		{"web", "--redact", "a,"},
	} {
		got := run(t, nil, environ, args...)
		assert.Equal(t, 2, got.status, args)
		assert.Contains(t, got.stderr, "is empty", args)
	}
}

func TestExecOfWrapperIsUsageError(t *testing.T) {
	t.Parallel()
	mux := resque.NewMux()
	mux.Handle(activejob.Define1[int64]("ExportJob", "exports").Handler(func(context.Context, int64) error { return nil }))
	got := run(t, mux, []string{"QUEUE=a"}, "work", "--exec", "ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper=cat")
	assert.Equal(t, 2, got.status)
	assert.Contains(t, got.stderr, "a wrapper for jobs of other classes")
}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// faultOf returns the text for a fault's code.
func faultOf(code resque.FaultCode) (resque.Fault, bool) {
	for _, text := range []string{"LOADING", "MASTERDOWN", "BUSY", "NOAUTH", "NOPERM", "WRONGTYPE", "READONLY", "OOM", "MISCONF", "NOREPLICAS", "MOVED", "CLUSTERDOWN"} {
		if fault, _ := resque.Explain(redis.Error(text)); fault.Code == code {
			return fault, true
		}
	}
	return resque.Fault{}, false
}

// patience is how long a test waits for another process. Only a failing test waits
// that long.
const patience = time.Minute

func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, patience, 10*time.Millisecond, what)
}
