package cli_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

func TestLocks(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL}
	locks := func(args ...string) call { return run(t, nil, environ, append([]string{"locks"}, args...)...) }
	assert.Equal(t, "None\n", locks("list").stdout)
	assert.Equal(t, "None\n", locks("release", "--no-job", "--yes").stdout)
	for _, command := range [][]any{
		{"SADD", "resque:queues", "work"},
		{"RPUSH", "resque:queue:work", `{"class":"J","args":[1]}`},
		{"SET", "resque:lock:J-[1]", "1768484097"},
		{"SET", "resque:lock:J-[2]", "1768484097"},
		{"SET", "resque:lock:Gone-[3]", "1768484097"},
		{"RPUSH", "resque:lock:Odd-[4]", "x"},
		{"SADD", "resque:workers", "h:1:work"},
		{"SET", "resque:worker:h:1:work", `{"queue":"work","run_at":"2026-01-15T12:34:56Z","payload":{"class":"J","args":[2]}}`},
	} {
		_, err := s.Conn(t).Do(command[0].(string), command[1:]...)
		require.NoError(t, err)
	}
	assert.Equal(t, `lock:Gone-[3]: no job; does not expire
lock:J-[1]: queued in work; does not expire
lock:J-[2]: running in h:1:work; does not expire
lock:Odd-[4]: not a lock: the key is not a string; does not expire
`, locks("list").stdout)
	assert.Equal(t, "lock:Gone-[3]: no job; does not expire\n", locks("list", "--no-job", "--jobs", "0").stdout)
	assert.Contains(t, locks("list", "--jobs", "1").stdout, "lock:J-[1]: queued in work")
	assert.Contains(t, locks("list", "--json").stdout,
		`{"key":"lock:Gone-[3]","plugin":"resque-lock","class":"Gone","state":"no job","text":"1768484097"}`)
	unsure := locks("release", "--no-job")
	assert.Equal(t, 2, unsure.status)
	assert.Contains(t, unsure.stderr, "this would release all locks that no job has: confirm with --yes")
	assert.Equal(t, 2, locks("release").status)
	assert.Equal(t, 2, locks("release", "--no-job", "lock:J-[1]").status)
	assert.Equal(t, "released lock:Gone-[3]\n", locks("release", "--no-job", "--yes").stdout)
	wrong := locks("release", "lock:J-[1]", "lock:J-[9]", "queue:work")
	assert.Equal(t, 1, wrong.status)
	assert.Equal(t, "released lock:J-[1]\n", wrong.stdout)
	assert.Contains(t, wrong.stderr, `the lock does not exist: "lock:J-[9]"`)
	assert.Contains(t, wrong.stderr, `"queue:work" is not the key of a lock ('goresque locks list' lists the keys)`)
	assert.JSONEq(t, `{"key":"lock:J-[2]","released":true}`, locks("release", "--json", "lock:J-[2]").stdout)

	// A removed job frees the lock that Ruby's plugin would have.
	_, err := s.Conn(t).Do("SET", "resque:lock:J-[1]", "1768484097")
	require.NoError(t, err)
	assert.Zero(t, run(t, nil, environ, "queues", "remove", "work", "--yes").status)
	assert.NotContains(t, locks("list").stdout, "lock:J-[1]")
}
