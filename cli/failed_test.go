package cli_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goresque/goresque/resque/activejob"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// failedCLI runs the command with a server that has failures.
type failedCLI struct {
	environ []string
	redis   redis.Conn
}

func failureRecord(class, name, more string) string {
	return fmt.Sprintf(`{"failed_at":"2026/01/15 12:00:00 UTC","payload":{"class":%q,"args":[%q,1.0]},`+
		`"exception":"IOError","error":%q,"backtrace":["a.rb:1:in `+"`b'"+`"],"worker":"w:1:q","queue":"exports"%s}`, class, name, name, more)
}

func newFailedCLI(t *testing.T, records ...string) failedCLI {
	t.Helper()
	s := redistest.Start(t)
	f := failedCLI{[]string{"REDIS_URL=" + s.URL}, s.Conn(t)}
	for _, r := range records {
		_, err := f.redis.Do("RPUSH", "resque:failed", r)
		require.NoError(t, err)
	}
	return f
}

func (f failedCLI) run(t *testing.T, args ...string) call {
	t.Helper()
	return run(t, nil, f.environ, append([]string{"failed"}, args...)...)
}

// ok runs a command that must succeed, and returns its output.
func (f failedCLI) ok(t *testing.T, args ...string) string {
	t.Helper()
	got := f.run(t, args...)
	require.Equal(t, 0, got.status, got.stderr)
	return got.stdout
}

func (f failedCLI) list(t *testing.T, key string) []string {
	t.Helper()
	items, err := redis.Strings(f.redis.Do("LRANGE", "resque:"+key, 0, -1))
	require.NoError(t, err)
	return items
}

// id returns the id of the failure that list shows with a text.
func (f failedCLI) id(t *testing.T, text string) string {
	t.Helper()
	for line := range strings.Lines(f.ok(t, "list", "--limit", "0")) {
		if strings.Contains(line, text) {
			return strings.Fields(line)[0]
		}
	}
	require.Fail(t, "not listed", text)
	return ""
}

func TestFailedList(t *testing.T) {
	t.Parallel()
	f := newFailedCLI(t, failureRecord("Exporter", "one", ""), "junk \x1b[31m\nred",
		failureRecord("Importer", "t\nwo\u202e", `,"retried_at":"2026/01/16 12:00:00 UTC"`))
	id := regexp.MustCompile(`\d-[0-9a-f]{16}`)
	assert.Equal(t, "ID  2026-01-15 12:00:00 UTC  exports  Importer  IOError: t wo\\u202e  (retried)\n"+
		"ID  damaged: junk \\u001b[31m red\n"+
		"ID  2026-01-15 12:00:00 UTC  exports  Exporter  IOError: one\n",
		id.ReplaceAllString(f.ok(t, "list"), "ID"))
	for _, test := range []struct {
		args []string
		want int
	}{
		{[]string{"--class", "Exporter"}, 1},
		{[]string{"--queue", "exports"}, 2},
		{[]string{"--queue", "mail"}, 0},
		{[]string{"--exception", "IOError", "--text", "ONE"}, 1},
		{[]string{"--since", "2026-01-15T12:00:00Z"}, 2},
		{[]string{"--since", "1h"}, 0},
		{[]string{"--until", "2026-01-15T12:00:00Z"}, 0},
		{[]string{"--limit", "2"}, 2},
		{[]string{"--list", "failed"}, 3},
		{[]string{"--failure-backend", "redis"}, 3},
	} {
		out := f.ok(t, append([]string{"list", "--json"}, test.args...)...)
		assert.Equal(t, test.want, strings.Count(out, "\n"), "%v: %s", test.args, out)
	}
	assert.Equal(t, "None\n", f.ok(t, "list", "--class", "Nope"))
	assert.Contains(t, strings.Split(f.ok(t, "list", "--oldest-first"), "\n")[0], "one")
	assert.Contains(t, f.run(t, "list", "--limit", "2").stderr, "--limit 0")
	assert.Empty(t, f.run(t, "list", "--limit", "3").stderr)
	groups := f.ok(t, "list", "--groups")
	assert.Contains(t, groups, "1  Exporter  IOError  (2026-01-15 12:00:00 UTC to 2026-01-15 12:00:00 UTC)  ")
	assert.Equal(t, 3, strings.Count(f.ok(t, "list", "--groups", "--json"), `"count":1`))

	var j map[string]any
	require.NoError(t, json.Unmarshal([]byte(f.ok(t, "list", "--json", "--class", "Exporter")), &j))
	assert.Equal(t, "Exporter", j["class"])
	assert.Equal(t, []any{"one", 1.0}, j["args"])
	assert.Equal(t, "2026-01-15T12:00:00Z", j["failed_at"])
	assert.Nil(t, j["retried_at"])
	assert.Equal(t, []any{"a.rb:1:in `b'"}, j["backtrace"])
	require.NoError(t, json.Unmarshal([]byte(f.ok(t, "list", "--json", "--text", "junk")), &j))
	assert.Equal(t, "junk \x1b[31m\nred", j["raw"])
	assert.Contains(t, j["damage"], "not the record of a failure")
}

func TestFailedShow(t *testing.T) {
	t.Parallel()
	f := newFailedCLI(t, failureRecord("Exporter", "one", `,"retried_at":"2026/01/16 12:00:00 UTC"`), "junk")
	id := f.id(t, "one")
	out := f.ok(t, "show", id)
	for _, want := range []string{id, "Exporter", "IOError", `{"class":"Exporter","args":["one",1.0]}`, "    a.rb:1:in `b'", "2026-01-16"} {
		assert.Contains(t, out, want)
	}
	assert.Contains(t, f.ok(t, "show", "--json", id), `"args":["one",1.0]`)
	damaged := f.ok(t, "show", f.id(t, "junk"))
	assert.Contains(t, damaged, "damaged")
	assert.Contains(t, damaged, "record     junk")
	gone := f.run(t, "show", "0-0123456789abcdef")
	assert.Equal(t, 1, gone.status)
	assert.Contains(t, gone.stderr, "no longer exists")
}

// A character that a terminal does not show is printed as JSON's escape, so that the
// payload can be copied.
func TestFailedShowEscapesLineSeparators(t *testing.T) {
	t.Parallel()
	f := newFailedCLI(t, strings.Replace(failureRecord("Exporter", "one", ""), `"one"`, "\"o\u2028n\U000e0001e\"", 1))
	out := f.ok(t, "show", strings.Fields(f.ok(t, "list"))[0])
	assert.Contains(t, out, `"args":["o\u2028n\udb40\udc01e",1.0]`)
}

// A Rails job is shown and found by its own class.
func TestFailedOfRails(t *testing.T) {
	t.Parallel()
	rails := `{"class":"` + activejob.JobWrapper + `","args":[{"job_class":"ExportJob","job_id":"0b9a","executions":2,"arguments":[42,{"a":"\u001b[31m"}]}]}`
	f := newFailedCLI(t, failureRecord("Exporter", "one", ""),
		strings.Replace(failureRecord("X", "two", ""), `{"class":"X","args":["two",1.0]}`, rails, 1))
	list := f.ok(t, "list", "--class", "ExportJob")
	assert.Equal(t, 1, strings.Count(list, "\n"))
	assert.Contains(t, list, "  exports  ExportJob  IOError: two\n")
	assert.NotContains(t, list, "JobWrapper")
	assert.Contains(t, f.ok(t, "list", "--groups"), "1  ExportJob  IOError  ")
	out := f.ok(t, "show", f.id(t, "two"))
	for _, want := range []string{
		"\nclass      ExportJob\n", "\njob id     0b9a (attempts before: 2)\n", "\npayload    " + rails + "\n",
		`arguments  [42,{"a":"\u001b[31m"}]` + "\n",
	} {
		assert.Contains(t, out, want)
	}
	var j map[string]any
	require.NoError(t, json.Unmarshal([]byte(f.ok(t, "list", "--json", "--class", "ExportJob")), &j))
	assert.Equal(t, activejob.JobWrapper, j["class"], "as in the record")
	assert.Equal(t, map[string]any{
		"class": "ExportJob", "job_id": "0b9a", "executions": 2.0, "arguments": []any{42.0, map[string]any{"a": "\x1b[31m"}},
	}, j["active_job"])
	assert.NotContains(t, f.ok(t, "list", "--json", "--class", "Exporter"), "active_job")
	assert.NotContains(t, f.ok(t, "show", f.id(t, "one")), "job id")
}

func TestFailedRetry(t *testing.T) {
	t.Parallel()
	f := newFailedCLI(t, failureRecord("Exporter", "one", ""), failureRecord("Exporter", "two", ""), failureRecord("Importer", "three", ""))
	assert.Equal(t, "retried 1\n", f.ok(t, "retry", f.id(t, "one")))
	assert.Equal(t, []string{`{"class":"Exporter","args":["one",1.0]}`}, f.list(t, "queue:exports"))
	again := f.run(t, "retry", f.id(t, "one"))
	assert.Equal(t, 1, again.status)
	assert.Contains(t, again.stderr, "--again")
	assert.Equal(t, "retried 1\n", f.ok(t, "retry", "--again", "--to-queue", "slow", "--args", `[ {"a" : 1e20}]`, f.id(t, "one")))
	assert.Equal(t, []string{`{"class":"Exporter","args":[{"a":1.0e+20}]}`}, f.list(t, "queue:slow"))

	refused := f.run(t, "retry", "--all", "--class", "Exporter")
	assert.Equal(t, 2, refused.status)
	assert.Contains(t, refused.stderr, "retry 1 failure(s): confirm with --yes", "failures that were retried before are not counted")
	assert.Equal(t, "retried 1\n", f.ok(t, "retry", "--all", "--class", "Exporter", "--yes"))
	assert.Equal(t, "retried 1\n", f.ok(t, "retry", "--all", "--remove", "--yes"))
	assert.Len(t, f.list(t, "failed"), 2)
	assert.Len(t, f.list(t, "queue:exports"), 3)
	assert.Equal(t, "retried 2\n", f.ok(t, "retry", "--all", "--again", "--yes"))
}

func TestFailedRemoveAndClear(t *testing.T) {
	t.Parallel()
	f := newFailedCLI(t, failureRecord("Exporter", "one", ""), failureRecord("Exporter", "two", ""), failureRecord("Importer", "three", ""), "junk")
	one, junk := f.id(t, "one"), f.id(t, "junk")
	for _, args := range [][]string{{"remove", one}, {"remove", "--all"}, {"clear"}} {
		refused := f.run(t, args...)
		assert.Equal(t, 2, refused.status, args)
		assert.Contains(t, refused.stderr, "--yes", args)
	}
	assert.Len(t, f.list(t, "failed"), 4)

	assert.Equal(t, "removed 2\n", f.ok(t, "remove", "--yes", one, junk))
	gone := f.run(t, "remove", "--yes", one, f.id(t, "two"))
	assert.Equal(t, 1, gone.status)
	assert.Equal(t, "removed 1, 1 no longer existed\n", gone.stdout)
	assert.Contains(t, gone.stderr, one)
	assert.Len(t, f.list(t, "failed"), 1)

	f.ok(t, "retry", f.id(t, "three"))
	assert.Equal(t, "removed 0\n", f.ok(t, "remove", "--all", "--class", "Exporter", "--yes"))
	assert.Equal(t, "removed 1\n", f.ok(t, "clear", "--retried", "--yes"))
	_, err := f.redis.Do("RPUSH", "resque:failed", "a", "b")
	require.NoError(t, err)
	cleared := f.ok(t, "clear", "--yes", "--keep", "1h")
	assert.Contains(t, cleared, "removed 2\n")
	assert.Empty(t, f.list(t, "failed"))
	_, undo, _ := strings.Cut(strings.TrimSpace(cleared), "undo: goresque failed ")
	assert.Equal(t, "restored 2\n", f.ok(t, strings.Fields(undo)...))
	assert.Equal(t, []string{"a", "b"}, f.list(t, "failed"))
	assert.Equal(t, 1, f.run(t, strings.Fields(undo)...).status)
}

func TestFailedUsageErrors(t *testing.T) {
	t.Parallel()
	f := newFailedCLI(t)
	for _, test := range []struct {
		args string
		says string
	}{
		{"show 17", "looks like"},
		{"show", "missing ID"},
		{"retry", "or --all"},
		{"retry --all 0-0123456789abcdef", "not both"},
		{"remove --class A 0-0123456789abcdef", "need --all"},
		{"retry 0-0123456789abcdef --args {}", "JSON array"},
		{"retry 0-0123456789abcdef --args null", "JSON array"},
		{"list --since tomorrow", "want a time"},
		{"list --limit -1", "negative"},
		{"list --list queue:exports", "no such list"},
		{"clear --list queue:exports --yes", "no such list"},
		{"list --failure-backend airbrake", "redis or redis_multi_queue"},
		{"nope", "unknown command"},
	} {
		got := f.run(t, strings.Fields(test.args)...)
		assert.Equal(t, 2, got.status, "%s: %s", test.args, got.stderr)
		assert.Contains(t, got.stderr, test.says, test.args)
	}
}

func TestFailureBackendVariable(t *testing.T) {
	t.Parallel()
	f := newFailedCLI(t)
	require.Equal(t, 0, run(t, nil, f.environ, "enqueue", "-q", "exports", "Unknown").status)
	work := append([]string{"FAILURE_BACKEND=redis_multi_queue", "QUEUE=exports", "INTERVAL=0"}, f.environ...)
	got := run(t, nil, work, "work")
	require.Equal(t, 0, got.status, got.stderr)
	assert.Empty(t, f.list(t, "failed"))
	assert.Len(t, f.list(t, "exports_failed"), 1)

	id := f.id(t, "NameError")
	assert.Contains(t, id, "exports_failed:0-")
	redisOnly := append([]string{"FAILURE_BACKEND=redis"}, f.environ...)
	assert.Equal(t, "None\n", run(t, nil, redisOnly, "failed", "list").stdout)
	assert.Equal(t, "retried 1\n", f.ok(t, "retry", id))
	assert.Len(t, f.list(t, "queue:exports"), 1)

	wrong := run(t, nil, append([]string{"FAILURE_BACKEND=airbrake"}, f.environ...), "work", "-q", "a")
	assert.Equal(t, 2, wrong.status)
	assert.Contains(t, wrong.stderr, `FAILURE_BACKEND: want redis or redis_multi_queue, got "airbrake"`)
}

// Hosts write failed_at in their own zone. A filter by time must spare a failure of
// this moment, whatever its zone, and say what it left out.
func TestFailedFiltersSpareUnknownTimes(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	at := func(failedAt string) string {
		return strings.Replace(failureRecord("A", failedAt, ""), "2026/01/15 12:00:00 UTC", failedAt, 1)
	}
	stamp := func(hours int, zone string) string {
		return now.Add(time.Duration(hours)*time.Hour).Format("2006/01/02 15:04:05 ") + zone
	}
	f := newFailedCLI(t,
		failureRecord("A", "old", ""),
		at(stamp(0, "UTC")), at(stamp(-8, "PST")), at(stamp(-3, "-03")), at(stamp(1, "CET")),
		at(stamp(5, "IST")), at("yesterday"),
	)
	got := f.run(t, "remove", "--all", "--until", "2h", "--yes")
	require.Equal(t, 0, got.status, got.stderr)
	assert.Contains(t, got.stdout, "removed 1")
	assert.Contains(t, got.stderr, "Left out 2 whose time is unknown")
	assert.Len(t, f.list(t, "failed"), 6)

	got = f.run(t, "list", "--since", "1h")
	require.Equal(t, 0, got.status, got.stderr)
	assert.Len(t, strings.Split(strings.TrimSpace(got.stdout), "\n"), 4, got.stdout)
	assert.Contains(t, got.stderr, "Left out 2 whose time is unknown")

	assert.Empty(t, f.run(t, "list").stderr, "without times nothing is left out")
}
