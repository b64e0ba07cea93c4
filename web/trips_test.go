package web_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/web"
)

// counter is a connection that counts round trips. Commands that are sent together
// count once.
type counter struct {
	redis.Conn
	trips *atomic.Int64
}

func (c *counter) Do(command string, args ...any) (any, error) {
	c.add(command)
	return c.Conn.Do(command, args...)
}

func (c *counter) DoContext(ctx context.Context, command string, args ...any) (any, error) {
	c.add(command)
	return redis.DoContext(c.Conn, ctx, command, args...)
}

func (c *counter) DoWithTimeout(timeout time.Duration, command string, args ...any) (any, error) {
	c.add(command)
	return redis.DoWithTimeout(c.Conn, timeout, command, args...)
}

func (c *counter) Flush() error {
	c.trips.Add(1)
	return c.Conn.Flush()
}

func (c *counter) ReceiveContext(ctx context.Context) (any, error) {
	return redis.ReceiveContext(c.Conn, ctx)
}

func (c *counter) ReceiveWithTimeout(timeout time.Duration) (any, error) {
	return redis.ReceiveWithTimeout(c.Conn, timeout)
}

func (c *counter) add(command string) {
	if command != "" { // the pool's own calls have no command
		c.trips.Add(1)
	}
}

// counted returns a dashboard that counts its round trips.
func counted(t *testing.T, server *redistest.Server) (*web.Dashboard, *atomic.Int64) {
	t.Helper()
	trips := new(atomic.Int64)
	pool := &redis.Pool{DialContext: func(ctx context.Context) (redis.Conn, error) {
		c, err := redis.DialURLContext(ctx, server.URL)
		return &counter{c, trips}, err
	}}
	t.Cleanup(func() { _ = pool.Close() })
	client, err := resque.New(resque.FromPool(pool, ""), resque.Config{})
	require.NoError(t, err)
	dashboard, err := web.New(client, web.Config{Auth: web.AllowEveryone()})
	require.NoError(t, err)
	web.Patiently(dashboard, waitLong)
	return dashboard, trips
}

// A page needs at most three round trips, whatever the amount of data. A filter reads
// in parts, and the list of keys is a scan.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := openOn(t, server, web.Config{})
	s.fill()
	for i := range 300 {
		s.worker("more-"+strconv.Itoa(i)+".example.com:1:*", ago(0), working("exports", "Exporter", "[1]", 0))
	}
	failure := s.href("/failed", "failures/")
	for _, path := range append(pagePaths, failure, "/stats.txt", "/metrics", "/workers/web-1.example.com:4213:exports,mailers", "/failed?order=asc&page=2") {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			var trips int64
			for range 2 { // the first time, Redis does not know the scripts
				dashboard, n := counted(t, server)
				require.Equal(t, http.StatusOK, ask(t, dashboard, http.MethodGet, path, "").Code)
				trips = n.Load()
			}
			most := int64(3)
			switch {
			case path == "/limits":
				most = 8 // the limits of queues, their state, two parts of the keys, held limits, their holders
			case path == "/locks":
				most = 60 // parts of the keys, the locks, delayed jobs, each queue, workers
			case path == "/doctor":
				most = 300 // it reads all keys
			case strings.HasPrefix(path, "/statuses"):
				most = 4 // their ids, the statuses
			case strings.HasPrefix(path, "/history"):
				most = 4 // the counters, the classes
			case strings.HasPrefix(path, "/batches"):
				most = 4 // their ids, the batches
			case strings.Contains(path, "q=") || strings.Contains(path, "class=") || strings.Contains(path, "groups") || strings.Contains(path, "hours"):
				most = 12 // 315 failures in parts
			case strings.HasPrefix(path, "/work") && strings.Contains(path, ":"):
				most = 5 // two more for the attempts of the job and the failures of its class
			case strings.HasPrefix(path, "/queues/"), strings.HasPrefix(path, "/failures/"):
				most = 4 // one more for the memory of the queue, or the attempts of the job
			case path == "/stats/keys", strings.HasPrefix(path, "/schedule"):
				most = 4 // one more to find the keys, or to read who is master
			case strings.HasPrefix(path, "/delayed/search"):
				most = 9 + 8 // each queue
			case strings.HasPrefix(path, "/retry"):
				most = 12 // the scheduler, the seconds, two parts of the jobs, their attempts and failures
			case strings.HasPrefix(path, "/delayed"):
				most = 9 // the scheduler, the number of jobs, their seconds, the jobs
			}
			assert.LessOrEqual(t, trips, most)
			assert.Positive(t, trips)
		})
	}
}

func TestRequestsShareASnapshot(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	dashboard, trips := counted(t, server)
	web.Share(dashboard, waitLong)
	done := make(chan int)
	for range 20 {
		go func() { done <- ask(t, dashboard, http.MethodGet, "/overview", "").Code }()
	}
	for range 20 {
		assert.Equal(t, http.StatusOK, <-done)
	}
	assert.LessOrEqual(t, trips.Load(), int64(4))
}
