package resquetest

import (
	"crypto/rand"
	"os"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
)

// EnvRedisURL is the environment variable with the address of a Redis for tests. If it is
// set, each test uses its own namespace on that server, which is removed when the test
// ends. Other keys are not changed. If it is not set, each test has an embedded server.
const EnvRedisURL = "RESQUETEST_REDIS_URL"

// New returns a client for a new, empty Redis, which exists until the test ends. Tests
// that call New may run in parallel.
//
// To get a client with a resque.Config, call resque.New with the Redis of Open.
func New(t TB) *resque.Client {
	t.Helper()
	client, err := resque.New(Open(t), resque.Config{})
	if err != nil {
		fatal(t, "%v", err)
	}
	return client
}

// Open returns a new, empty Redis, which is closed when the test ends.
func Open(t TB) *resque.Redis {
	t.Helper()
	return open(t, RedisConfig(t))
}

// RedisConfig creates a new, empty Redis and returns its configuration, for programs that
// open Redis themselves.
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
		ReadTimeout: time.Minute, // its Lua is slow with many parallel tests and the race detector
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

// check stops the test with a clear message if the server cannot be reached.
func check(t TB, cfg resque.RedisConfig) {
	t.Helper()
	ctx, cancel := during(t)
	defer cancel()
	if err := open(t, cfg).Ping(ctx); err != nil {
		fatal(t, "cannot use the server of %s: %v", EnvRedisURL, err)
	}
}

// erase removes all keys of a namespace.
func erase(t TB, cfg resque.RedisConfig) {
	t.Helper()
	ctx, cancel := during(t)
	defer cancel()
	rdb, err := resque.Open(cfg)
	if err == nil {
		err = store.New(rdb).Erase(ctx)
		_ = rdb.Close() // the server may be gone
	}
	if err != nil {
		t.Errorf("resquetest: removing namespace %s: %v", cfg.Namespace, err)
	}
}
