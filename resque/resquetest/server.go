package resquetest

import (
	"crypto/rand"
	"os"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
)

// EnvRedisURL is the variable that names a Redis for tests. Where it is set, tests
// use that server, each in a namespace of its own which is removed at its end, and
// touch nothing else there. Otherwise each test has an embedded server.
const EnvRedisURL = "RESQUETEST_REDIS_URL"

// New returns a client on a Redis that is the test's own, for as long as the test
// lasts. Tests with clients of their own may run in parallel.
//
// A client with a resque.Config is resque.New's, on Open's Redis.
func New(t TB) *resque.Client {
	t.Helper()
	client, err := resque.New(Open(t), resque.Config{})
	if err != nil {
		fatal(t, "%v", err)
	}
	return client
}

// Open returns a Redis that is the test's own, and closes it with the test.
func Open(t TB) *resque.Redis {
	t.Helper()
	return open(t, RedisConfig(t))
}

// RedisConfig starts a Redis, or a namespace, that is the test's own, and says
// where it is: for programs that open theirs themselves.
func RedisConfig(t TB) resque.RedisConfig {
	t.Helper()
	if url := os.Getenv(EnvRedisURL); url != "" {
		cfg := resque.RedisConfig{URL: url, Namespace: "resquetest-" + rand.Text()}
		check(t, cfg)
		t.Cleanup(func() { erase(t, cfg) })
		return cfg
	}
	server, err := embedded.Start("")
	if err != nil {
		fatal(t, "%v", err)
	}
	t.Cleanup(server.Close)
	return resque.RedisConfig{
		URL:         server.URL(),
		ReadTimeout: time.Minute, // its Lua is slow where many tests and the race detector share a machine
	}
}

func open(t TB, cfg resque.RedisConfig) *resque.Redis {
	t.Helper()
	rdb, err := resque.Open(cfg)
	if err != nil {
		fatal(t, "%v", err)
	}
	t.Cleanup(func() { _ = rdb.Close() }) // its server may be gone
	return rdb
}

// check finds a server that is away before the test blames itself.
func check(t TB, cfg resque.RedisConfig) {
	t.Helper()
	ctx, cancel := during(t)
	defer cancel()
	if err := open(t, cfg).Ping(ctx); err != nil {
		fatal(t, "%s is set, but: %v", EnvRedisURL, err)
	}
}

// erase removes a namespace with all that is in it.
func erase(t TB, cfg resque.RedisConfig) {
	t.Helper()
	ctx, cancel := during(t)
	defer cancel()
	rdb, err := resque.Open(cfg)
	if err == nil {
		err = store.New(rdb).Erase(ctx)
		_ = rdb.Close() // it may be gone
	}
	if err != nil {
		t.Errorf("resquetest: namespace %s is not removed: %v", cfg.Namespace, err)
	}
}
