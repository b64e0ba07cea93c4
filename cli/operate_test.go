package cli_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL}
	exists := func(key string) bool {
		n, err := s.Conn(t).Do("EXISTS", key)
		require.NoError(t, err)
		return n == int64(1)
	}
	require.Equal(t, 0, run(t, nil, environ, "pause").status)
	assert.True(t, exists("resque:pause-all-workers"))
	require.Equal(t, 0, run(t, nil, environ, "pause", "mail").status)
	assert.True(t, exists("resque:pause:queue:mail"))
	require.Equal(t, 0, run(t, nil, environ, "resume").status)
	assert.False(t, exists("resque:pause-all-workers"))
	assert.True(t, exists("resque:pause:queue:mail"))
	require.Equal(t, 0, run(t, nil, environ, "resume", "mail").status)
	assert.False(t, exists("resque:pause:queue:mail"))
}

func TestListKillRemove(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	environ := []string{"REDIS_URL=" + s.URL}
	assert.Equal(t, "None\n", run(t, nil, environ, "list").stdout)

	for _, command := range [][]any{
		{"SADD", "resque:workers", "gone:1:exports", "elsewhere~go:12:mail"},
		{"SET", "resque:worker:gone:1:exports", `{"queue":"exports","run_at":"2026-01-01T00:00:00Z","payload":{"class":"Exporter","args":[1]}}`},
		{"HSET", "resque:workers:heartbeat", "gone:1:exports", time.Now().Format(time.RFC3339)},
	} {
		_, err := c.Do(command[0].(string), command[1:]...)
		require.NoError(t, err)
	}
	assert.Equal(t, "elsewhere~go:12:mail (idle)\ngone:1:exports (working)\n", run(t, nil, environ, "list").stdout)

	removed := run(t, nil, environ, "remove", "--force", "gone:1:exports")
	require.Equal(t, 0, removed.status, removed.stderr)
	assert.Equal(t, "** removed gone:1:exports\n", removed.stdout)
	failed, err := c.Do("LINDEX", "resque:failed", 0)
	require.NoError(t, err)
	assert.Contains(t, fmt.Sprintf("%s", failed), `"exception":"Resque::DirtyExit","error":"Job still being processed"`)
	again := run(t, nil, environ, "remove", "gone:1:exports")
	assert.Equal(t, 1, again.status)
	assert.Contains(t, again.stderr, "'goresque list' shows the ids")

	other := run(t, nil, environ, "kill", "elsewhere~go:12:mail")
	assert.Equal(t, 1, other.status)
	assert.Contains(t, other.stderr, "runs on host elsewhere")
	host, err := os.Hostname()
	require.NoError(t, err)
	for id, status := range map[string]int{"nonsense": 2, host + ":x:q": 2, host + ":1:q": 2, host + ":999999999:q": 1} {
		assert.Equal(t, status, run(t, nil, environ, "kill", id).status, id)
	}
}

// Any id can be registered.
func TestKillAmongStrangeWorkers(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	host, err := os.Hostname()
	require.NoError(t, err)
	process := host + "~go:999999999"
	_, err = s.Conn(t).Do("SADD", "resque:workers", process, process+":q", process+"-2:\x1b[2Jq", process+"9:q")
	require.NoError(t, err)
	killed := run(t, nil, []string{"REDIS_URL=" + s.URL}, "kill", process+":q")
	require.Equal(t, 0, killed.status, killed.stderr)
	assert.Equal(t, "** process 999999999 is not running\n** removed "+process+"-2:?[2Jq\n** removed "+process+":q\n", killed.stdout)
}

func TestRefusalIsNotReportedAsUnreachable(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	_, err := s.Conn(t).Do("CONFIG", "SET", "requirepass", "secret")
	require.NoError(t, err)
	got := run(t, nil, []string{"REDIS_URL=" + s.URL}, "info")
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stderr, "NOAUTH")
	assert.Contains(t, got.stderr, "Redis refused the user or the password")
	assert.NotContains(t, got.stderr, "redis-server")
}
