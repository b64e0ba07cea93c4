package scheduler_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque/scheduler"
)

const lock = "resque:resque:resque_scheduler_master_lock"

// patience is how long tests wait for what must happen. It is only reached on failure.
const patience = time.Minute

// log collects log lines.
type log struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

func (l *log) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// running is a scheduler that runs until stop.
type running struct {
	*scheduler.Scheduler
	log  *log
	stop func()
}

// start runs a scheduler on the server at url until the test ends.
func start(t testing.TB, s *redistest.Server, cfg scheduler.Config) *running {
	t.Helper()
	r := &running{log: &log{}}
	if cfg.Logger == nil {
		cfg.Logger = r.log.logger()
	}
	var err error
	r.Scheduler, err = scheduler.New(s.Client(t), cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-done)
	})
	t.Cleanup(r.stop)
	return r
}

// rdb is a connection to look at a server.
type rdb struct{ redis.Conn }

func (c rdb) do(t testing.TB, command string, args ...any) any {
	t.Helper()
	reply, err := c.Do(command, args...)
	require.NoError(t, err, "%s %v", command, args)
	return reply
}

func (c rdb) list(t testing.TB, key string) []string {
	t.Helper()
	items, err := redis.Strings(c.do(t, "LRANGE", key, 0, -1), nil)
	require.NoError(t, err)
	return items
}

func (c rdb) len(t testing.TB, key string) int {
	t.Helper()
	n, err := redis.Int(c.do(t, "LLEN", key), nil)
	require.NoError(t, err)
	return n
}

func (c rdb) exists(t testing.TB, keys ...any) int {
	t.Helper()
	n, err := redis.Int(c.do(t, "EXISTS", keys...), nil)
	require.NoError(t, err)
	return n
}

func (c rdb) now(t testing.TB) time.Time {
	t.Helper()
	parts, err := redis.Int64s(c.do(t, "TIME"), nil)
	require.NoError(t, err)
	return time.Unix(parts[0], parts[1]*1000)
}

// delay writes jobs as Ruby does, whatever the time.
func (c rdb) delay(t testing.TB, second int64, payloads ...string) {
	t.Helper()
	for _, p := range payloads {
		require.NoError(t, c.Send("SADD", "resque:timestamps:"+p, fmt.Sprint("delayed:", second)))
		require.NoError(t, c.Send("RPUSH", fmt.Sprint("resque:delayed:", second), p))
		require.NoError(t, c.Send("ZADD", "resque:delayed_queue_schedule", second, second))
	}
	c.do(t, "PING")
}

func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 2*time.Millisecond, what)
}

// both runs a test against each kind of server.
func both(t *testing.T, test func(t *testing.T, s *redistest.Server, c rdb)) {
	t.Helper()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) { test(t, s, rdb{s.Conn(t)}) })
}
