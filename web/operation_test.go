package web_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/web"
)

// many adds n failures to the list at once.
func (s *site) many(n int) {
	s.t.Helper()
	const part = 1000
	for from := 0; from < n; from += part {
		words := []any{"resque:failed"}
		for i := from; i < min(n, from+part); i++ {
			words = append(words, record("Exporter", fmt.Sprintf("[%d]", i), "RuntimeError", strings.Repeat("x", 100), "exports", time.Now(), ""))
		}
		s.do(append([]any{"RPUSH"}, words...)...)
	}
}

func (s *site) length(key string) int {
	s.t.Helper()
	n, err := redis.Int(s.do("LLEN", key), nil)
	require.NoError(s.t, err)
	return n
}

// A long operation has its own page and continues without it. Only one runs at a
// time. It can be stopped and started again.
func TestAnOperationInTheBackground(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := openOn(t, server, web.Config{})
	s.many(20_000)
	proxy := server.Proxy(t)
	slow := &site{t: t, server: server, conn: s.conn, dashboard: newDashboard(t, &redistest.Server{URL: proxy.URL}, web.Config{})}
	web.Quickly(slow.dashboard, 0)
	require.Equal(t, http.StatusOK, slow.get("/failed").Code)
	release := proxy.HoldCommands(acting)
	defer release()
	a := slow.post("/failed/requeue/all", "sure=1&count=1000&typed=1000")
	require.Equal(t, http.StatusSeeOther, a.Code)
	op := "/" + strings.TrimLeft(a.Header().Get("Location"), "./")
	require.True(t, strings.HasPrefix(op, "/ops/"), op)
	assert.Equal(t, http.StatusConflict, slow.post("/failed/clear", "sure=1&count=1000&typed=1000").Code, "one at a time")
	release()
	require.Equal(t, http.StatusSeeOther, slow.post(op+"/cancel", "").Code)
	require.Eventually(t, func() bool {
		return slow.get(op + ".json").told(t)["Over"] == true
	}, waitLong, tick)
	told := slow.get(op + ".json").told(t)
	if told["Canceled"] == true { // it may have finished before
		assert.Less(t, s.length("resque:queue:exports"), 20_000)
		present(t, slow.get(op).Body.String(), "Stopped", op)
	}
	slow.post("/failed/requeue/all", "sure=1&count=1000&typed=1000") // starts again and does the rest
	require.Eventually(t, func() bool { return s.length("resque:queue:exports") == 20_000 }, waitLong, tick)
	assert.Equal(t, 20_000, s.length("resque:failed"), "they stay, marked as retried")
}

// acting is a text that occurs in the commands by which an operation acts on
// failures, and not in those by which pages are read.
const acting = "goresque:removed:"

// Run takes samples while no page is open, so that the first page has a graph. When
// it ends, it cancels the running operation.
func TestRun(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("SET", "resque:stat:processed", 5)
	ctx, cancel := context.WithCancel(t.Context())
	end := make(chan error, 1)
	web.SampleEvery(s.dashboard, 10*time.Millisecond)
	web.Quickly(s.dashboard, 0)
	go func() { end <- s.dashboard.Run(ctx) }()
	require.Eventually(t, func() bool { return web.Samples(s.dashboard) == 1 }, waitLong, tick)
	present(t, s.get("/overview").Body.String(), "The graph appears", "one sample gives no rate")
	s.do("SET", "resque:stat:processed", 50)
	web.AgeSamples(s.dashboard, 4*time.Second)
	web.Forget(s.dashboard)
	require.Eventually(t, func() bool { return web.Samples(s.dashboard) == 2 }, waitLong, tick)
	present(t, s.get("/overview").Body.String(), "<polyline", "two are")
	s.many(20_000)
	a := s.post("/failed/clear?q=x", "sure=1&q=xxx&count=1000&typed=1000")
	op := "/" + strings.TrimLeft(a.Header().Get("Location"), "./")
	cancel()
	require.NoError(t, <-end)
	require.True(t, strings.HasPrefix(op, "/ops/"), op)
	assert.Equal(t, true, s.get(op + ".json").told(t)["Over"], "it is over when Run returns")
}

func TestRunRetriesWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	log := &lineCounter{what: "cannot read the state of resque"}
	proxy := redistest.Start(t).Proxy(t)
	refused, end := proxy.Refuse()
	dashboard := newDashboard(t, &redistest.Server{URL: proxy.URL}, web.Config{OnAction: func(context.Context, web.Action) {}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	web.SampleEvery(dashboard, tick)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- dashboard.Run(ctx) }()
	require.Eventually(t, func() bool { return refused() > 2 }, waitLong, tick)
	end()
	require.Eventually(t, func() bool { return web.Samples(dashboard) == 1 }, waitLong, tick, "Run retries")
	cancel()
	require.NoError(t, <-ran)
	assert.EqualValues(t, 1, log.n.Load())
}

// lineCounter counts the log lines that contain a text.
type lineCounter struct {
	what string
	n    atomic.Int32
}

func (c *lineCounter) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(c.what)) {
		c.n.Add(1)
	}
	return len(line), nil
}
