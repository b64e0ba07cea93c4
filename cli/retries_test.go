package cli_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/resque/retry"
)

const retriedKey = "resque:resque-retry:Exporter:356a192b7913b04c54574d18c28d46e6395428ab" // of the argument 1

// newRetriesCLI has a job that waits for its third attempt of 6, a Rails job that was
// performed twice, and one that has not failed.
func newRetriesCLI(t *testing.T) (d delayedCLI, mux *resque.Mux) {
	t.Helper()
	rails := `{"class":"` + activejob.JobWrapper + `","args":[{"job_class":"RailsJob","arguments":[9],"executions":2}],"queue":"exports"}`
	d = newDelayedCLI(t, delayedItem("Exporter", 1), rails, delayedItem("Exporter", 3))
	for _, set := range [][]any{
		{retriedKey, "1"},
		{strings.Replace(retriedKey, "resque:", "resque:failure-", 1), `{"failed_at":"2026/01/15 12:34:56 UTC","payload":{"class":"Exporter","args":[1]},"exception":"IOError","error":"disk\nfull","backtrace":[],"worker":"w","queue":"exports"}`},
	} {
		_, err := d.redis.Do("SET", set...)
		require.NoError(t, err)
	}
	mux = resque.NewMux()
	mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error { return nil }, retry.Policy{Limit: 5})
	return d, mux
}

func TestRetriesList(t *testing.T) {
	t.Parallel()
	d, mux := newRetriesCLI(t)
	got := run(t, mux, d.environ, "retries", "list")
	require.Equal(t, 0, got.status, got.stderr)
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	require.Len(t, lines, 2)
	assert.Regexp(t, `^\d+:0-[0-9a-f]{16}  .* UTC  exports  Exporter  \[1\]  attempt 2 of 6  IOError: disk full$`, lines[0])
	assert.Regexp(t, `^\d+:1-[0-9a-f]{16}  .* UTC  exports  RailsJob  \[9\]  attempt 2$`, lines[1])
	got = run(t, nil, d.environ, "retries", "list", "--class", "Exporter", "--json")
	require.Equal(t, 0, got.status, got.stderr)
	var j map[string]any
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &j))
	assert.EqualValues(t, 2, j["attempt"])
	assert.Nil(t, j["attempts"], "no policy is known")
	assert.Equal(t, "disk\nfull", j["error"])
	assert.Equal(t, "2026-01-15T12:34:56Z", j["failed_at"])
	assert.Equal(t, "exports", j["queue"])
	got = run(t, nil, d.environ, "retries", "list", "--queue", "none")
	assert.Equal(t, "None\n", got.stdout)
	_, err := d.redis.Do("SET", retriedKey, "x")
	require.NoError(t, err)
	assert.Contains(t, run(t, nil, d.environ, "retries", "list").stdout, "attempt unknown: its counter is not a number")
}

func TestRetriesRunRemoveAndGiveUp(t *testing.T) {
	t.Parallel()
	d, _ := newRetriesCLI(t)
	exporter, rails, other := d.id(t, "[1]"), d.id(t, "RailsJob"), d.id(t, "[3]")
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"give-up", exporter}, 2, "this would give up 1 job(s) that wait for another attempt: confirm with --yes"},
		{[]string{"give-up"}, 2, "no jobs that wait for another attempt named: give ids as 'goresque retries list' prints them"},
		{[]string{"remove", "x"}, 2, "invalid delayed job id"},
		{[]string{"run", "--class", "Exporter", exporter}, 2, "filters such as --class need --all"},
		{[]string{"run", "--all", exporter}, 2, "not both"},
		{[]string{"run", other}, 1, "does not wait for another attempt"},
		{[]string{"run", "--all"}, 2, "this would run 2 job(s) that wait for another attempt"},
		{[]string{"give-up", "--failure-backend", "x", "--yes", exporter}, 2, "failure-backend"},
		{[]string{"nope"}, 2, "unknown command"},
		{[]string{"list", "--limit", "-1"}, 2, "must not be negative"},
	} {
		got := run(t, nil, d.environ, append([]string{"retries"}, c.args...)...)
		assert.Equal(t, c.status, got.status, c.args)
		assert.Contains(t, got.stderr, c.says)
	}
	assert.Len(t, d.left(t), 3, "nothing was changed")
	got := run(t, nil, d.environ, "retries", "give-up", "--yes", exporter)
	require.Equal(t, 0, got.status, got.stderr)
	assert.Equal(t, "gave up 1\n", got.stdout)
	failed := d.list(t, "failed")
	require.Len(t, failed, 1)
	assert.Contains(t, failed[0], `"exception":"IOError"`)
	got = run(t, nil, d.environ, "retries", "remove", "--all", "--yes", "--keep", "1h", "--json")
	require.Equal(t, 0, got.status, got.stderr)
	assert.Regexp(t, `^\{"done":1,"gone":0,"refused":0,"undo":\["[^"]+"\]\}\n$`, got.stdout)
	got = run(t, nil, d.environ, "retries", "run", rails)
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stderr, "no longer exists")
	assert.Len(t, d.left(t), 1)
}
