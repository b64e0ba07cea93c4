package web_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/web"
)

// A probe answers although Redis hangs and a page without a time limit waits for it, and
// so does an action that has changed something.
func TestProbesDoNotWaitForPages(t *testing.T) {
	t.Parallel()
	proxy := redistest.Start(t).Proxy(t)
	pool := &redis.Pool{Dial: func() (redis.Conn, error) { return redis.DialURL(proxy.URL) }}
	t.Cleanup(func() { _ = pool.Close() })
	client, err := resque.New(resque.FromPool(pool, ""), resque.Config{})
	require.NoError(t, err)
	dashboard, err := web.New(client, web.Config{Auth: web.AllowEveryone()})
	require.NoError(t, err)

	release := proxy.Hold()
	pages := make(chan answer)
	for range 3 {
		go func() { pages <- ask(t, dashboard, http.MethodGet, "/overview", "") }()
	}
	begun := time.Now()
	assert.Contains(t, ask(t, dashboard, http.MethodGet, "/metrics", "").Body.String(), "resque_up 0")
	assert.Equal(t, http.StatusServiceUnavailable, ask(t, dashboard, http.MethodGet, "/healthz", "").Code)
	web.Forget(dashboard)
	t.Log("metrics and healthz took", time.Since(begun))
	select {
	case a := <-pages:
		t.Fatalf("a page was answered with %d", a.Code)
	default:
	}
	release()
	for range 3 {
		assert.Equal(t, http.StatusOK, (<-pages).Code)
	}
	assert.Contains(t, ask(t, dashboard, http.MethodGet, "/metrics", "").Body.String(), "resque_up 1")
}
