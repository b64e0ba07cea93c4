package cli_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL}
	limits := func(args ...string) call { return run(t, nil, environ, append([]string{"limits"}, args...)...) }
	assert.Equal(t, "None\n", limits("list").stdout)
	assert.Empty(t, limits("list", "--json").stdout)
	assert.Equal(t, "limited queue exports: 5 at once, 100/min, burst 10\n",
		limits("set", "exports", "--concurrency", "5", "--rate", "100/min", "--burst", "10").stdout)
	assert.JSONEq(t, `{"queue":"mail","limit":"2/s"}`, limits("set", "mail", "--rate", "2/s", "--json").stdout)
	assert.Equal(t, "exports: 5 at once, 100/min, burst 10; 0 running, 0 waiting\nmail: 2/s; 0 running, 0 waiting\n", limits("list").stdout)
	assert.Equal(t, `{"queue":"exports","concurrency":5,"rate":"100/min","burst":10,"running":0,"waiting":0,"next":0}
{"queue":"mail","concurrency":0,"rate":"2/s","burst":0,"running":0,"waiting":0,"next":0}
`, limits("list", "--json").stdout)
	assert.Equal(t, "removed the limit of queue mail\n", limits("clear", "mail").stdout)
	again := limits("clear", "mail")
	assert.Equal(t, 1, again.status)
	assert.Contains(t, again.stderr, `queue "mail" has no limit: 'goresque limits list' lists the limits`)

	_, err := s.Conn(t).Do("HSET", "resque:goresque:limits", "odd", "x")
	require.NoError(t, err)
	assert.Contains(t, limits("list").stdout, "odd: ; 0 running, 0 waiting; not applied: the limit is not JSON")
	assert.Contains(t, limits("list", "--json").stdout, `"damage":"the limit is not JSON`)
}

func TestHeldLimits(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL}
	assert.Equal(t, "None\n", run(t, nil, environ, "limits", "held").stdout)
	for _, command := range [][]any{
		{"HSET", `resque:goresque:held:c:Exporter:"a"`, "h~go:1:q", "guard ", "h~go:2:q", "other"},
		{"SET", "resque:worker:h~go:1:q", "guard of a job"},
		{"RPUSH", `resque:goresque:parked:c:Exporter:"a"`, "1 x"},
		{"SET", `resque:goresque:wait:c:Exporter:"a"`, "1", "EX", 3600},
		{"HSET", "resque:goresque:held:q:mail", "h~go:1:q", "guard "},
	} {
		_, err := s.Conn(t).Do(command[0].(string), command[1:]...)
		require.NoError(t, err)
	}
	got := run(t, nil, environ, "limits", "held").stdout
	assert.Regexp(t, `^Exporter:"a": 2 held, 1 waiting, paused for (1h0m0s|59m\d+s)
  h~go:1:q
  h~go:2:q \(its job has ended\)
$`, got)
	assert.Contains(t, run(t, nil, environ, "limits", "held", "--json").stdout,
		`"holders":[{"worker":"h~go:1:q","dead":false},{"worker":"h~go:2:q","dead":true}],"waiting":1`)
}

func TestLimitsThatAreNotPossible(t *testing.T) {
	t.Parallel()
	environ := []string{"REDIS_URL=" + redistest.StartEmbedded(t).URL}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"set", "a"}, 2, "give --concurrency, --rate or both"},
		{[]string{"set", "a", "--concurrency", "0"}, 2, "--concurrency is 0; it must be more than 0 ('goresque pause a' stops the queue)"},
		{[]string{"set", "a", "--concurrency", "x"}, 2, "--concurrency: want a whole number"},
		{[]string{"set", "a", "--concurrency", "-1"}, 2, "--concurrency is -1; it must be more than 0"},
		{[]string{"set", "a", "--rate", "100"}, 2, `invalid rate "100" (write it as 100/min, 5/s or 20/30s)`},
		{[]string{"set", "a", "--rate", "0/s"}, 2, `invalid rate "0/s": 0 jobs (it must be more than 0)`},
		{[]string{"set", "a", "--concurrency", "1", "--burst", "3"}, 2, "--burst has no effect without --rate"},
		{[]string{"set", "", "--concurrency", "1"}, 1, "the name of the queue is empty"},
		{[]string{"set", "a", "--rate", "1/s", "--burst", "-1"}, 2, "--burst is -1; it must be more than 0"},
		{[]string{"set"}, 2, "missing QUEUE:"},
		{[]string{"clear"}, 2, "missing QUEUE:"},
		{[]string{"lst"}, 2, "lst"},
	} {
		got := run(t, nil, environ, append([]string{"limits"}, c.args...)...)
		assert.Equal(t, c.status, got.status, c.args)
		assert.Contains(t, got.stderr, c.want)
	}
}
