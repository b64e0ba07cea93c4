package top

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
)

// connected returns a model that reads a server and has read it.
func connected(t *testing.T, s *redistest.Server) model {
	t.Helper()
	m := newTestModel(t, true, 80, 24)
	m.reader = reader{s.Client(t)}
	return m.read(t)
}

func (m model) read(t *testing.T) model {
	t.Helper()
	msg := m.readSnapshot()().(snapMsg)
	require.NoError(t, msg.err)
	return m.after(t, msg)
}

// pressing returns the model after keys, the commands that they start, and another read.
func (m model) pressing(t *testing.T, names ...string) model {
	t.Helper()
	for _, name := range names {
		next, cmd := m.Update(key(name))
		m = next.(model)
		if cmd == nil {
			continue
		}
		switch msg := cmd().(type) {
		case tea.BatchMsg: // reads that read does too
		default:
			m = m.after(t, msg)
		}
	}
	return m.read(t).listed(t)
}

// listed reads the list of the tab.
func (m model) listed(t *testing.T) model {
	t.Helper()
	if !m.tab.isRead() {
		return m
	}
	m.lists[m.tab].loading, m.lists[m.tab].loaded = false, 0
	m, cmd := m.loaded()
	require.NotNil(t, cmd)
	msg := cmd().(listMsg)
	require.NoError(t, msg.list.err)
	return m.after(t, msg)
}

func do(t *testing.T, c redis.Conn, command string, args ...any) any {
	t.Helper()
	reply, err := c.Do(command, args...)
	require.NoError(t, err)
	return reply
}

func TestActions(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	client, c := s.Client(t), s.Conn(t)
	size := func(key string) int64 { return do(t, c, "LLEN", key).(int64) }
	for i := range 5 {
		do(t, c, "RPUSH", "resque:failed", fmt.Sprintf(`{"failed_at":"2026/01/02 12:00:0%d UTC","payload":{"class":"C","args":[%d]},"exception":"E","error":"x","backtrace":[],"worker":"w","queue":"q"}`, i, i))
		_, err := client.EnqueueIn(t.Context(), time.Duration(i+1)*time.Hour, resque.Job{Class: "D", Queue: "later", Args: []any{i}})
		require.NoError(t, err)
	}
	m := connected(t, s).pressing(t, "4")
	require.Len(t, m.rows(), 5)
	m = m.pressing(t, "r")
	assert.Contains(t, text(m), "(retried) E: x")
	assert.Equal(t, `{"class":"C","args":[4]}`, string(do(t, c, "LINDEX", "resque:queue:q", 0).([]byte)), "the newest, with its bytes")
	m = m.pressing(t, "x")
	assert.Contains(t, text(m), "removed 1 job; u restores")
	assert.EqualValues(t, 4, size("resque:failed"))
	m = m.pressing(t, "u")
	assert.Contains(t, text(m), "restored 1 job")
	assert.EqualValues(t, 5, size("resque:failed"))
	m = m.pressing(t, "R", "y")
	assert.Contains(t, text(m), "retried 4 jobs, 1 cannot be retried")
	assert.EqualValues(t, 5, size("resque:queue:q"))
	m = m.pressing(t, "X", "n")
	assert.EqualValues(t, 5, size("resque:failed"))
	m = m.pressing(t, "X", "y")
	assert.Contains(t, text(m), "removed 5 jobs")
	assert.Zero(t, size("resque:failed"))

	m = m.pressing(t, "5")
	require.Len(t, m.rows(), 5)
	m = m.pressing(t, "r")
	assert.Contains(t, text(m), "queued 1 job")
	assert.EqualValues(t, 1, size("resque:queue:later"))
	m = m.pressing(t, "X", "y")
	assert.Contains(t, text(m), "removed 4 jobs")
	m = m.pressing(t, "u")
	assert.Contains(t, text(m), "restored 4 jobs")
	require.Len(t, m.rows(), 4)

	m = m.pressing(t, "2", "enter")
	assert.Regexp(t, `Queue q\n.*\n\n +0 +C \[4\]`, strings.ReplaceAll(text(m), "  ", " "))
	m = m.pressing(t, "esc", "p")
	assert.EqualValues(t, 1, do(t, c, "EXISTS", "resque:pause:queue:q"))
	m = m.pressing(t, "p")
	assert.EqualValues(t, 0, do(t, c, "EXISTS", "resque:pause:queue:q"))
	m = m.pressing(t, "P", "y")
	assert.Contains(t, text(m), "ALL PAUSED")
	m = m.pressing(t, "P", "y")
	assert.NotContains(t, text(m), "ALL PAUSED")
	m = m.pressing(t, "x", "y")
	assert.Contains(t, text(m), "removed the queue with its 5 jobs")
	assert.Zero(t, size("resque:queue:q"))
}

func TestRetries(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	at := time.Now().Add(time.Hour).Unix()
	payload := `{"class":"C","args":[1],"queue":"q"}`
	do(t, c, "RPUSH", fmt.Sprintf("resque:delayed:%d", at), payload)
	do(t, c, "SADD", "resque:timestamps:"+payload, fmt.Sprintf("delayed:%d", at))
	do(t, c, "ZADD", "resque:delayed_queue_schedule", at, at)
	do(t, c, "SET", "resque:resque-retry:C:356a192b7913b04c54574d18c28d46e6395428ab", 2)
	m := connected(t, s).pressing(t, "6")
	require.Len(t, m.rows(), 1, text(m))
	assert.Regexp(t, `> +59m q +C +3`, text(m))
	m = m.pressing(t, "x")
	assert.Contains(t, text(m), "removed 1 job")
	m = m.pressing(t, "u")
	assert.EqualValues(t, 1, do(t, c, "ZCARD", "resque:delayed_queue_schedule"), text(m))
}

// A job that has ended is not another job's end.
func TestStop(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	record := func(runAt string) {
		do(t, c, "SET", "resque:worker:ruby:1:q", `{"queue":"q","run_at":"`+runAt+`","payload":{"class":"C","args":[]}}`)
	}
	do(t, c, "SADD", "resque:workers", "ruby:1:q")
	record("2026-01-02T12:00:00Z")
	m := connected(t, s).pressing(t, "3", "k", "y")
	assert.Contains(t, text(m), "only goresque workers can be told to cancel a job")
	stopped := m.reader.stop(t.Context(), []runningJob{{"host~go:1:q", "2026-01-02T12:00:00Z"}})
	require.NoError(t, stopped.err)
	assert.Equal(t, "told the workers of 0 jobs to stop, 1 had ended", stopped.text)
}

// An idle program sends at most three commands a second to a Redis with five queues, and
// one while things change needs two round trips.
func TestIdleCommands(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c := s.Conn(t)
	for i := range 5 {
		do(t, c, "SADD", "resque:queues", "q"+strconv.Itoa(i))
	}
	m := connected(t, s)
	m.interval = 2 * time.Second
	for range sameReads {
		m = m.read(t)
	}
	before := calls(t, c)
	const reads = 10
	for range reads {
		m = m.read(t)
	}
	// INFO is one of them.
	sent := float64(calls(t, c)-before-1) / reads
	perSecond := sent / m.pace.wait(m.interval).Seconds()
	t.Logf("%.1f commands for each read, %.2f a second", sent, perSecond)
	assert.LessOrEqual(t, perSecond, 3.0)
}

// calls returns how many commands the server has run, with those of scripts.
func calls(t *testing.T, c redis.Conn) (n int64) {
	t.Helper()
	info, err := redis.String(c.Do("INFO", "stats"))
	require.NoError(t, err)
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "total_commands_processed:"); ok {
			n, err = strconv.ParseInt(value, 10, 64)
			require.NoError(t, err)
		}
	}
	require.NotZero(t, n)
	return n
}

// Lists of large jobs are read in part only, and what is kept of them is small.
func TestLargeJobs(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c := s.Conn(t)
	large := strings.Repeat("x", 2<<20)
	do(t, c, "SADD", "resque:queues", "q")
	for range 12 {
		do(t, c, "RPUSH", "resque:failed", `{"failed_at":"2026/01/02 12:00:00 UTC","payload":{"class":"C","args":["`+large+`"]},"exception":"E","error":"x","backtrace":[],"worker":"w","queue":"q"}`)
		do(t, c, "RPUSH", "resque:queue:q", `{"class":"C","args":["`+large+`"]}`)
		do(t, c, "RPUSH", "resque:delayed:4000000000", `{"class":"C","args":["`+large+`"],"queue":"q"}`)
	}
	do(t, c, "ZADD", "resque:delayed_queue_schedule", 4000000000, 4000000000)
	m := connected(t, s)
	snap := m.snap
	jobs, more, err := m.reader.failures(t.Context(), snap, rowsAtMost)
	require.NoError(t, err)
	assert.True(t, more)
	assert.Len(t, jobs, 10, "one step")
	for _, tab := range []tab{tabFailed, tabScheduled} {
		l := m.reader.list(t.Context(), tab, snap, m.texts)
		require.NoError(t, l.err)
		require.NotEmpty(t, l.rows)
		for _, r := range l.rows {
			kept := len(fmt.Sprint(r))
			assert.Less(t, kept, 100<<10, "of row %d", kept)
		}
	}
	queued, err := m.reader.queue(t.Context(), "q")
	require.NoError(t, err)
	assert.Len(t, queued, 10)
	assert.Contains(t, text(m.pressing(t, "4", "enter")), "the beginning of 2,097,")
}

// Failures of several lists are shown together, the newest first.
func TestFailuresOfSeveralLists(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	for i, list := range []string{"failed", "a_failed", "failed", "b_failed"} {
		if list != "failed" {
			do(t, c, "SADD", "resque:failed_queues", list)
		}
		do(t, c, "RPUSH", "resque:"+list, fmt.Sprintf(`{"failed_at":"2026/01/02 12:00:0%d UTC","payload":{"class":"C%d","args":[]},"exception":"E","error":"x","backtrace":[],"worker":"w","queue":"q"}`, i, i))
	}
	m := connected(t, s).pressing(t, "4")
	var classes []string
	for _, r := range m.rows() {
		classes = append(classes, r.cells[2])
	}
	assert.Equal(t, []string{"C3", "C2", "C1", "C0"}, classes)
	m = m.pressing(t, "X", "y")
	assert.Contains(t, text(m), "removed 4 jobs")
	assert.Empty(t, m.rows())
}

// run runs the command without a terminal.
func run(t *testing.T, s *redistest.Server, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, wrong bytes.Buffer
	app := cli.App{
		Redis:    resque.RedisConfig{DialTimeout: time.Minute, ReadTimeout: time.Minute},
		Commands: []func(*cli.Env) *cobra.Command{Command},
	}
	status = app.Run(t.Context(), append([]string{"top"}, args...), []string{"REDIS_URL=" + s.URL, "LANG=C.UTF-8"}, &out, &wrong)
	return out.String(), wrong.String(), status
}

func TestOnce(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	out, wrong, status := run(t, s)
	require.Zero(t, status, wrong)
	assert.Regexp(t, `^resque on redis://.* UTC\nwaiting 0  running 0  workers 0  silent 0  failed 0  done 0\n$`, out)
	do(t, c, "SADD", "resque:queues", "mail")
	do(t, c, "RPUSH", "resque:queue:mail", `{"class":"Welcome","args":["\u001b[2J"]}`)
	do(t, c, "RPUSH", "resque:failed", `{"failed_at":"2026/01/02 12:00:00 UTC","payload":{"class":"C","args":[]},"exception":"E","error":"\u001b[2Jred\u202e","backtrace":[],"worker":"w","queue":"q"}`)
	do(t, c, "SADD", "resque:workers", "web1:7:mail")
	do(t, c, "SET", "resque:worker:web1:7:mail", `{"queue":"mail","run_at":"2026-01-02T12:00:00Z","payload":{"class":"Goodbye","args":[1]}}`)
	do(t, c, "SET", "resque:stat:processed", 7)
	out, wrong, status = run(t, s, "--once")
	require.Zero(t, status, wrong)
	assert.Contains(t, out, "waiting 1  running 1  workers 1  silent 0  failed 1  done 7\n")
	assert.Regexp(t, `\nQueues\nQUEUE JOBS WAIT WORKERS STATE NEXT JOB\nmail +1 +1 +Welcome\n`, out)
	assert.Regexp(t, `\nRunning jobs\n.*\n *\S+ mail +Goodbye +\[1\] +web1:7\n`, out)
	assert.Contains(t, out, `E: \u001b[2Jred\u202e`)
	assert.NotContains(t, out, "\x1b")
	assert.NotContains(t, out, "delayed", "empty tables are omitted")

	out, wrong, status = run(t, s, "--json")
	require.Zero(t, status, wrong)
	assert.Equal(t, 1, strings.Count(out, "\n"))
	var got stateJSON
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	assert.Equal(t, counts{Waiting: 1, Running: 1, Workers: 1, Failed: 1, Processed: 7}, got.counts)
	assert.Equal(t, []queueJSON{{Queue: "mail", Size: 1, Workers: 1}}, got.Queues)
	assert.Equal(t, "Goodbye", got.Running[0].Class)
	assert.Equal(t, "\x1b[2Jred\u202e", got.Failures[0].Error)
	assert.Contains(t, out, `"retries":[]`)
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	for want, args := range map[string][]string{
		"--interval is 0s; it must be at least 0.1 seconds": {"--interval", "0"},
		"want a number of seconds":                          {"--interval", "soon"},
		`unexpected argument "queues"`:                      {"queues"},
		"give only one of --act and --once":                 {"--act", "--once"},
		"give only one of --act and --json":                 {"--act", "--json"},
		"--act needs a terminal for its keys":               {"--act"},
	} {
		_, wrong, status := run(t, s, args...)
		assert.Equal(t, 2, status, wrong)
		assert.Contains(t, wrong, want)
	}
	_, wrong, status := run(t, &redistest.Server{URL: "redis://127.0.0.1:1"})
	assert.Equal(t, 1, status)
	assert.Contains(t, wrong, "Redis does not answer")
}
