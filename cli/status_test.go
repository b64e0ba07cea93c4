package cli_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	statuses := func(args ...string) call {
		return run(t, nil, []string{"REDIS_URL=" + s.URL}, append([]string{"status"}, args...)...)
	}
	assert.Equal(t, "None\n", statuses("list").stdout)
	for _, command := range [][]any{
		{"SET", "resque:status:a", `{"time":1768480496,"status":"working","uuid":"a","options":{"id":1},"name":"X({\"id\"=>1})","num":1,"total":4,"message":"row\n1"}`},
		{"SET", "resque:status:b", `{"time":1768480497,"status":"completed","uuid":"b"}`},
		{"ZADD", "resque:_statuses", 1, "a", 2, "b", 3, "expired"},
	} {
		_, err := c.Do(command[0].(string), command[1:]...)
		require.NoError(t, err)
	}
	assert.Equal(t, "b  completed 100%\na  working    25%  X({\"id\"=>1})  row 1\n", statuses("list").stdout)
	assert.Equal(t, `{"time":1768480497,"status":"completed","uuid":"b","pct_complete":100}`+"\n", statuses("list", "--json", "--limit", "1").stdout)
	assert.Contains(t, statuses("show", "a").stdout, "progress 1 of 4 (25%)\ncreated  2026-01-15T12:34:56Z\n")
	assert.Equal(t, "killing job a\n", statuses("kill", "a").stdout)
	members, err := c.Do("SISMEMBER", "resque:_kill", "a")
	require.NoError(t, err)
	assert.EqualValues(t, 1, members)
	assert.Equal(t, "removed 1 status(es)\n", statuses("clear", "--state", "completed", "--yes").stdout)
	for _, wrong := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"show", "nope"}, 1, `there is no status "nope"`},
		{[]string{"kill", "b"}, 1, `job "b" is not killed: it has ended, or has no status`},
		{[]string{"kill"}, 2, "give either the ids of statuses, or --all"},
		{[]string{"kill", "--all"}, 2, "confirm with --yes"},
		{[]string{"clear"}, 2, "give either --state or --all"},
		{[]string{"clear", "--state", "done", "--yes"}, 2, `invalid state "done" (use queued working completed failed killed)`},
		{[]string{"clear", "--all"}, 2, "confirm with --yes"},
		{[]string{"list", "--limit", "-1"}, 2, "--limit is -1; it must not be negative"},
		{[]string{"lst"}, 2, "lst"},
	} {
		got := statuses(wrong.args...)
		assert.Equal(t, wrong.status, got.status, wrong.args)
		assert.Contains(t, got.stderr, wrong.want)
	}
	assert.Equal(t, "killing 1 job(s)\n", statuses("kill", "--all", "--yes").stdout)
	assert.Equal(t, "removed 1 status(es)\n", statuses("clear", "--all", "--yes").stdout)
	got := statuses("list")
	assert.Equal(t, "None\n", got.stdout)
	assert.Empty(t, got.stderr)
	_, err = c.Do("ZADD", "resque:_statuses", 1, "x", 2, "y")
	require.NoError(t, err)
	for _, id := range []string{"x", "y"} {
		_, err := c.Do("SET", "resque:status:"+id, `{"time":1768480497,"status":"queued","uuid":"`+id+`"}`)
		require.NoError(t, err)
	}
	got = statuses("list", "--limit", "1")
	assert.Equal(t, "y  queued      0%\n", got.stdout)
	assert.Equal(t, "Only the first 1 are listed: --limit 0 lists all.\n", got.stderr)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	environ := []string{"REDIS_URL=" + s.URL}
	cancel := func(args ...string) call { return run(t, nil, environ, append([]string{"cancel"}, args...)...) }
	for _, more := range [][]string{{}, {}, {"--in", "1h"}} {
		require.Equal(t, 0, run(t, nil, environ, append(append([]string{"enqueue", "-q", "q"}, more...), "X", "1")...).status)
	}
	require.Equal(t, 0, run(t, nil, environ, "enqueue", "-q", "q", "X", "2").status)
	const id = "elsewhere~go:1:q"
	for _, command := range [][]any{
		{"SADD", "resque:workers", id},
		{"SET", "resque:worker:" + id, `{"queue":"q","run_at":"2026-01-15T12:34:56.000000001Z","payload":{"class":"X","args":[1]}}`},
	} {
		_, err := c.Do(command[0].(string), command[1:]...)
		require.NoError(t, err)
	}
	assert.Equal(t, "canceled 2 waiting, 1 delayed and 1 running\n", cancel("-q", "q", "X", "1").stdout)
	assert.JSONEq(t, `{"queued":0,"delayed":0,"running":1}`, cancel("-q", "q", "X", "1", "--json").stdout)
	assert.Equal(t, "canceled 0 waiting, 0 delayed and 0 running\n", cancel("-q", "q", "X").stdout)
	left, err := c.Do("LLEN", "resque:queue:q")
	require.NoError(t, err)
	assert.EqualValues(t, 1, left)
	assert.Equal(t, "told "+id+" to cancel its job\n", cancel("--worker", id).stdout)
	for _, wrong := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "give the CLASS of the job, or --worker ID"},
		{[]string{"X", "--worker", id}, 2, "not both"},
		{[]string{"X"}, 2, "no queue for class X: use goresque cancel -q QUEUE X"},
		{[]string{"--worker", "nowhere~go:1:q"}, 1, `worker "nowhere~go:1:q" does not exist`},
		{[]string{"--worker", "host:1:q"}, 1, "only goresque workers"},
	} {
		got := cancel(wrong.args...)
		assert.Equal(t, wrong.status, got.status, wrong.args)
		assert.Contains(t, got.stderr, wrong.want)
	}
}
