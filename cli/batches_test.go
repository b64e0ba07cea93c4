package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/batch"
)

// newBatchCLI has a sealed batch with two waiting jobs.
func newBatchCLI(t *testing.T) (b *batch.Batch, environ []string, direct redis.Conn) {
	t.Helper()
	s := redistest.Start(t)
	client, err := resque.New(s.Open(t), resque.Config{})
	require.NoError(t, err)
	b, err = batch.New(client, batch.Config{Description: "nightly\nexport", Complete: resque.Job{Queue: "reports", Class: "Report"}})
	require.NoError(t, err)
	require.NoError(t, b.Add(t.Context(), resque.Job{Queue: "exports", Class: "Exporter"}, resque.Job{Queue: "exports", Class: "Exporter"}))
	require.NoError(t, b.Seal(t.Context()))
	return b, []string{"REDIS_URL=" + s.URL, "QUEUE=exports", "INTERVAL=0"}, s.Conn(t)
}

func TestBatchesListAndShow(t *testing.T) {
	t.Parallel()
	b, environ, _ := newBatchCLI(t)
	got := run(t, nil, environ, "batches", "list")
	require.Equal(t, 0, got.status, got.stderr)
	assert.Equal(t, b.ID()+"  running    0 of 2 ended  nightly export\n", got.stdout)
	got = run(t, nil, environ, "batches", "show", b.ID())
	require.Equal(t, 0, got.status, got.stderr)
	for _, want := range []string{"0 of 2 ended", "created    20", `Complete:  {"class":"Report","args":[]}`} {
		assert.Contains(t, got.stdout, want)
	}
	for _, call := range [][]string{{"list", "--json"}, {"show", b.ID(), "--json"}} {
		got = run(t, nil, environ, append([]string{"batches"}, call...)...)
		require.Equal(t, 0, got.status, got.stderr)
		var j map[string]any
		require.NoError(t, json.Unmarshal([]byte(got.stdout), &j))
		assert.Equal(t, "running", j["state"])
		assert.EqualValues(t, 2, j["pending"])
		assert.Nil(t, j["completed"])
	}
	got = run(t, nil, environ, "batches", "show", "gone")
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stderr, "batch gone does not exist, or has expired")
	got = run(t, nil, environ, "batches", "show", "A:B")
	assert.Equal(t, 2, got.status)
	assert.Contains(t, got.stderr, `goresque batches show: "A:B" is not the id of a batch`)
	assert.Equal(t, 2, run(t, nil, environ, "batches", "list", "--limit", "-1").status)
	assert.NotEqual(t, 0, run(t, nil, environ, "batches", "nonsense").status)
}

// The jobs of a batch that fail can be listed by the batch, and those of a canceled batch
// are not performed.
func TestBatchesCancel(t *testing.T) {
	t.Parallel()
	b, environ, direct := newBatchCLI(t)
	got := run(t, nil, environ, "batches", "cancel", b.ID())
	assert.Equal(t, 2, got.status, "it is not confirmed")
	assert.Contains(t, got.stderr, "2 job(s) have not ended")
	got = run(t, nil, environ, "batches", "cancel", b.ID(), "--yes")
	require.Equal(t, 0, got.status, got.stderr)
	assert.Equal(t, "canceled batch "+b.ID()+"; 2 job(s) had not ended\n", got.stdout)
	got = run(t, nil, environ, "batches", "cancel", b.ID(), "--yes", "--json")
	assert.JSONEq(t, `{"id":"`+b.ID()+`","canceled":true,"pending":2}`, got.stdout)
	require.Equal(t, 0, run(t, nil, environ, "work").status)
	got = run(t, nil, environ, "batches", "list")
	assert.Contains(t, got.stdout, "canceled   2 of 2 ended, 2 skipped")
	n, err := redis.Int(direct.Do("LLEN", "resque:queue:reports"))
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.Equal(t, 1, run(t, nil, environ, "batches", "cancel", "gone", "--yes").status)
	got = run(t, nil, environ, "batches", "cancel", b.ID(), "--yes")
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stderr, "all its jobs have ended")
}

func TestFailedListsTheJobsOfABatch(t *testing.T) {
	t.Parallel()
	b, environ, direct := newBatchCLI(t)
	require.Equal(t, 0, run(t, nil, environ, "work").status) // the class is unknown
	_, err := direct.Do("RPUSH", "resque:failed", failureRecord("Other", b.ID(), ""))
	require.NoError(t, err)
	got := run(t, nil, environ, "failed", "list", "--batch", b.ID())
	require.Equal(t, 0, got.status, got.stderr)
	assert.Equal(t, 2, strings.Count(got.stdout, "\n"), got.stdout)
	assert.NotContains(t, got.stdout, "Other")
	assert.Contains(t, run(t, nil, environ, "batches", "show", b.ID()).stdout, "goresque failed list --batch "+b.ID())
	assert.Contains(t, run(t, nil, environ, "failed", "list", "--batch", "none").stdout, "None")
	for _, command := range []string{"list", "retry", "remove", "clear"} {
		got = run(t, nil, environ, "failed", command, "--batch", "not an id")
		assert.Equal(t, 2, got.status, command)
		if command != "clear" { // which has no filter
			assert.Contains(t, got.stderr, `"not an id" is not the id of a batch`, command)
		}
	}
}
