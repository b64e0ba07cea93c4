package web_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/web"
)

// many puts n failures into the list at once.
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

// A long operation has a page, goes on without its reader, is one at a time, can
// be stopped, and begun again.
func TestAnOperationInTheBackground(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := openOn(t, server, web.Config{})
	s.many(20_000)
	proxy := server.Proxy(t)
	slow := &site{t: t, server: server, conn: s.conn, dashboard: newDashboard(t, &redistest.Server{URL: proxy.URL}, web.Config{})}
	require.Equal(t, http.StatusOK, slow.get("/failed").Code)
	release := hold(proxy, 300*time.Millisecond)
	a := slow.post("/failed/requeue/all", "sure=1")
	require.Equal(t, http.StatusSeeOther, a.Code)
	op := "/" + strings.TrimLeft(a.Header().Get("Location"), "./")
	require.True(t, strings.HasPrefix(op, "/ops/"), op)
	assert.Equal(t, http.StatusConflict, slow.post("/failed/clear", "sure=1").Code, "one at a time")
	release()
	require.Equal(t, http.StatusSeeOther, slow.post(op+"/cancel", "").Code)
	require.Eventually(t, func() bool {
		return slow.get(op + ".json").told(t)["Over"] == true
	}, 20*time.Second, 10*time.Millisecond)
	told := slow.get(op + ".json").told(t)
	if told["Cancelled"] == true { // it may have been faster
		assert.Less(t, s.length("resque:queue:exports"), 20_000)
		present(t, slow.get(op).Body.String(), "Stopped", op)
	}
	slow.post("/failed/requeue/all", "sure=1") // on it goes
	require.Eventually(t, func() bool { return s.length("resque:queue:exports") == 20_000 }, 20*time.Second, 20*time.Millisecond)
	assert.Equal(t, 20_000, s.length("resque:failed"), "they stay, as retried")
}

// hold keeps Redis's replies back until release, or a time.
func hold(p *redistest.Proxy, within time.Duration) (release func()) {
	free := p.Hold()
	done := make(chan struct{})
	go func() {
		select {
		case <-done:
		case <-time.After(within):
		}
		free()
	}()
	return func() { close(done) }
}

// Run samples while nobody looks, so that the first page has a graph, and ends
// the operation that is running.
func TestRun(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("SET", "resque:stat:processed", 5)
	ctx, cancel := context.WithCancel(t.Context())
	end := make(chan error, 1)
	go func() { end <- s.dashboard.Run(ctx) }()
	present(t, s.get("/overview").Body.String(), "The graph begins", "one sample is no rate")
	<-time.After(4100 * time.Millisecond)
	s.do("SET", "resque:stat:processed", 50)
	present(t, s.get("/overview").Body.String(), "<polyline", "two are")
	s.many(20_000)
	s.post("/failed/clear?q=x", "sure=1&q=xxx")
	cancel()
	require.NoError(t, <-end)
	left := s.length("resque:failed")
	<-time.After(50 * time.Millisecond)
	assert.Equal(t, left, s.length("resque:failed"), "it is over")
}

func TestRunBearsRedisAway(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	away := &redistest.Server{URL: "redis://127.0.0.1:" + redistest.FreePort(t)}
	dashboard := newDashboard(t, away, web.Config{OnAction: func(context.Context, web.Action) {}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.NoError(t, dashboard.Run(ctx))
	assert.Equal(t, 1, strings.Count(log.String(), "cannot read the state of resque"))
}
