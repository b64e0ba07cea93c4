package cli_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// Otherwise a job that still runs would be recorded as failed.
func TestRemoveRefusesAWorkingWorker(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	const id = "h:1:q"
	for _, words := range [][]any{
		{"SADD", "resque:workers", id},
		{"SET", "resque:worker:" + id, `{"queue":"q","run_at":"2026-01-01T00:00:00Z","payload":{"class":"A","args":[]}}`},
		{"HSET", "resque:workers:heartbeat", id, time.Now().UTC().Format(time.RFC3339)},
	} {
		_, err := c.Do(words[0].(string), words[1:]...)
		require.NoError(t, err)
	}
	environ := []string{"REDIS_URL=" + s.URL}
	got := run(t, nil, environ, "remove", id)
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stderr, "--force")
	assert.Equal(t, 1, slotsOf(t, s))
	require.Equal(t, 0, run(t, nil, environ, "remove", "--force", id).status)
	assert.Zero(t, slotsOf(t, s))
}

func slotsOf(t *testing.T, s *redistest.Server) int {
	t.Helper()
	ids, err := s.Client(t).Workers(t.Context())
	require.NoError(t, err)
	return len(ids)
}
