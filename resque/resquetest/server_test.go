package resquetest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/resquetest"
)

func TestNewReturnsASeparateRedisForEachCall(t *testing.T) {
	t.Parallel()
	one, other := resquetest.New(t), resquetest.New(t)
	enqueue(t, one, Exporter.Job(1))
	assert.Len(t, resquetest.Jobs(t, one), 1)
	assert.Empty(t, resquetest.Jobs(t, other))

	cfg := resquetest.RedisConfig(t)
	assert.NotEmpty(t, cfg.URL)
	for range 2 { // all that open it see the same keys
		rdb, err := resque.Open(cfg)
		require.NoError(t, err)
		client, err := resque.New(rdb, resque.Config{JSON: resque.JSONRails})
		require.NoError(t, err)
		enqueue(t, client, Exporter.Job(1))
		defer client.Close()
		resquetest.RequireEnqueued(t, client, Exporter, 1)
	}
}

func TestNewEndsWithTheTest(t *testing.T) {
	t.Parallel()
	var client *resque.Client
	var cfg resque.RedisConfig
	f := run(t, func(t *fake) {
		client = resquetest.New(t)
		cfg = resquetest.RedisConfig(t)
		_, err := client.Enqueue(t.ctx, Exporter.Job(1))
		if err != nil {
			t.Errorf("%v", err)
		}
		t.Cleanup(func() { // cleanups run when the context of the test has ended
			resquetest.RequireEnqueued(t, client, Exporter)
			_ = resquetest.PerformAll(t, client, fails())
			resquetest.RequireFailed(t, client, Exporter)
		})
	})
	assert.Empty(t, f.errors)
	_, err := client.Enqueue(t.Context(), Exporter.Job(1))
	require.Error(t, err, "its connections should be gone")
	if os.Getenv(resquetest.EnvRedisURL) == "" {
		rdb, err := resque.Open(cfg)
		require.NoError(t, err)
		defer rdb.Close()
		require.Error(t, rdb.Ping(t.Context()), "its server should be gone")
	}
}

// TestOnARealServer runs other tests on a server that has other keys.
func TestOnARealServer(t *testing.T) {
	t.Parallel()
	if os.Getenv(resquetest.EnvRedisURL) != "" {
		return // this process is one of those tests
	}
	s := redistest.StartReal(t)
	c := s.Conn(t)
	_, err := c.Do("SET", "resque:mine", "kept")
	require.NoError(t, err)
	program, err := os.Executable()
	require.NoError(t, err)
	test := exec.CommandContext(t.Context(), program, "-test.v", "-test.run=^(TestNew|TestRequire|TestPerform|TestRun|TestJobs$|TestFakeTime|TestAHandlerMayStopTheTest|Example)")
	test.Env = append(os.Environ(), resquetest.EnvRedisURL+"="+s.URL)
	out, err := test.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Greater(t, strings.Count(string(out), "--- PASS"), 10, "%s", out)
	keys, err := c.Do("KEYS", "*")
	require.NoError(t, err)
	assert.Equal(t, []any{[]byte("resque:mine")}, keys)
}

func TestAServerThatCannotBeReachedIsReported(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	require.NoError(t, err)
	test := exec.CommandContext(t.Context(), program, "-test.v", "-test.run=^TestNewReturnsASeparateRedisForEachCall$")
	test.Env = append(os.Environ(), resquetest.EnvRedisURL+"=127.0.0.1:1")
	out, err := test.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "resquetest: cannot use the server of RESQUETEST_REDIS_URL: ")
	assert.NotContains(t, string(out), "removing namespace")
}
