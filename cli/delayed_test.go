package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// delayedCLI runs the command with a server that has delayed jobs.
type delayedCLI struct {
	failedCLI
	due int64 // the second of the jobs: in an hour
}

func newDelayedCLI(t *testing.T, items ...string) delayedCLI {
	t.Helper()
	s := redistest.Start(t)
	d := delayedCLI{failedCLI{[]string{"REDIS_URL=" + s.URL}, s.Conn(t)}, time.Now().Add(time.Hour).Unix()}
	for _, item := range items {
		for _, command := range [][]any{
			{"RPUSH", fmt.Sprint("resque:delayed:", d.due), item},
			{"SADD", "resque:timestamps:" + item, fmt.Sprint("delayed:", d.due)},
			{"ZADD", "resque:delayed_queue_schedule", d.due, d.due},
		} {
			_, err := d.redis.Do(command[0].(string), command[1:]...)
			require.NoError(t, err)
		}
	}
	return d
}

func delayedItem(class string, arg any) string {
	return fmt.Sprintf(`{"class":%q,"args":[%v],"queue":"exports"}`, class, arg)
}

func (d delayedCLI) run(t *testing.T, args ...string) call {
	t.Helper()
	return run(t, nil, d.environ, append([]string{"delayed"}, args...)...)
}

func (d delayedCLI) ok(t *testing.T, args ...string) string {
	t.Helper()
	got := d.run(t, args...)
	require.Equal(t, 0, got.status, got.stderr)
	return got.stdout
}

// id returns the id of the job that list shows with a text.
func (d delayedCLI) id(t *testing.T, text string) string {
	t.Helper()
	for line := range strings.Lines(d.ok(t, "list", "--limit", "0")) {
		if strings.Contains(line, text) {
			return strings.Fields(line)[0]
		}
	}
	require.Fail(t, "not listed", text)
	return ""
}

func (d delayedCLI) left(t *testing.T) []string {
	t.Helper()
	return d.list(t, fmt.Sprint("delayed:", d.due))
}

func TestEnqueueAtAndIn(t *testing.T) {
	t.Parallel()
	d := newDelayedCLI(t)
	out := ok(t, d.environ, "enqueue", "-q", "exports", "--at", strconv.FormatInt(d.due, 10), "Exporter", "1")
	assert.Equal(t, "delayed for exports until "+time.Unix(d.due, 0).UTC().Format("2006-01-02 15:04:05")+` UTC: {"class":"Exporter","args":[1]}`+"\n", out)
	assert.Equal(t, []string{delayedItem("Exporter", 1)}, d.left(t))
	for _, in := range []string{"5400", "90m", "2d"} {
		var result struct {
			Queued bool
			Due    time.Time
		}
		require.NoError(t, json.Unmarshal([]byte(ok(t, d.environ, "enqueue", "-q", "exports", "--in", in, "--json", "Exporter", "2")), &result))
		assert.True(t, result.Queued)
		assert.Greater(t, result.Due.Unix(), d.due, in)
	}
	assert.Contains(t, ok(t, d.environ, "enqueue", "-q", "exports", "--at", "2026-01-15T12:00:00Z", "Exporter", "3"), "queued on exports", "in the past")
	assert.Equal(t, []string{`{"class":"Exporter","args":[3]}`}, d.list(t, "queue:exports"))
	for _, args := range [][]string{
		{"--at", "tomorrow"},
		{"--at", ""},
		{"--in", ""},
		{"--in", "-5m"},
		{"--in", "2026-01-15"},
		{"--in", "x"},
		{"--at", "2026-01-15", "--in", "5m"},
		{"--in", "5m", "--front"},
	} {
		got := run(t, nil, d.environ, append([]string{"enqueue", "-q", "exports", "Exporter"}, args...)...)
		assert.Equal(t, 2, got.status, args)
	}
	assert.Len(t, d.list(t, "queue:exports"), 1)
}

// A Rails class that the command knows is wrapped, with the time in its data.
func TestEnqueueInOfARailsClass(t *testing.T) {
	t.Parallel()
	d := newDelayedCLI(t)
	mux := resque.NewMux()
	mux.Handle(activejob.Define1[int64]("ExportJob", "exports").Handler(func(context.Context, int64) error { return nil }))
	got := run(t, mux, d.environ, "enqueue", "--at", strconv.FormatInt(d.due, 10), "ExportJob", "42")
	require.Equal(t, 0, got.status, got.stderr)
	require.Len(t, d.left(t), 1)
	assert.Contains(t, d.left(t)[0], `"scheduled_at":"`+time.Unix(d.due, 0).UTC().Format("2006-01-02T15:04:05.000000000Z"))
	list := d.ok(t, "find", "ExportJob", "42")
	assert.Contains(t, list, "  exports  ExportJob  [42]\n")
	assert.Equal(t, "None\n", d.ok(t, "find", "ExportJob", "43"))
	assert.Contains(t, d.ok(t, "list", "--json"), `"active_job":{"class":"ExportJob","job_id":"`)
}

func TestDelayedList(t *testing.T) {
	t.Parallel()
	d := newDelayedCLI(t, delayedItem("Exporter", 1), delayedItem("Exporter", `"<x>\ty"`), delayedItem("Importer", 1e3), "junk \x1b[31m")
	out := regexp.MustCompile(`\d+:\d-[0-9a-f]{16}  [0-9: -]+ UTC`).ReplaceAllString(d.ok(t, "list"), "ID")
	assert.Equal(t, "ID  exports  Exporter  [1]\n"+"ID  exports  Exporter  [\"<x>\\ty\"]\n"+
		"ID  exports  Importer  [1000]\n"+"ID    damaged:  junk \\u001b[31m\n", out)
	for _, test := range []struct {
		args []string
		want int
	}{
		{[]string{"list", "--class", "Exporter"}, 2},
		{[]string{"list", "--queue", "exports"}, 3},
		{[]string{"list", "--queue", "mail"}, 0},
		{[]string{"list", "--args", "[ 1000 ]"}, 1},
		{[]string{"list", "--args", "[]"}, 0},
		{[]string{"list", "--text", "IMPORT"}, 1},
		{[]string{"list", "--due-after", "2h"}, 0},
		{[]string{"list", "--due-before", "2h"}, 4},
		{[]string{"list", "--due-after", strconv.FormatInt(d.due, 10)}, 4},
		{[]string{"list", "--due-before", strconv.FormatInt(d.due, 10)}, 0},
		{[]string{"list", "--limit", "2"}, 2},
		{[]string{"find", "Exporter"}, 2},
		{[]string{"find", "Exporter", "1"}, 1},
		{[]string{"find", "Exporter", "<x>\ty"}, 1},
		{[]string{"find", "--queue", "mail", "Exporter"}, 0},
		{[]string{"show", strconv.FormatInt(d.due, 10)}, 4},
		{[]string{"show", time.Unix(d.due, 0).UTC().Format(time.RFC3339)}, 4},
		{[]string{"show", strconv.FormatInt(d.due+1, 10)}, 0},
	} {
		out := d.ok(t, append(test.args, "--json")...)
		assert.Equal(t, test.want, strings.Count(out, "\n"), "%v: %s", test.args, out)
	}
	assert.Equal(t, "None\n", d.ok(t, "list", "--class", "Nope"))
	assert.Contains(t, d.run(t, "list", "--limit", "2").stderr, "--limit 0")

	var j map[string]any
	require.NoError(t, json.Unmarshal([]byte(d.ok(t, "find", "Exporter", "1", "--json")), &j))
	assert.Equal(t, map[string]any{
		"id": d.id(t, "[1]"), "due": time.Unix(d.due, 0).UTC().Format(time.RFC3339), "class": "Exporter", "args": []any{1.0}, "queue": "exports",
		"payload": map[string]any{"class": "Exporter", "args": []any{1.0}},
	}, j)
	j = nil
	require.NoError(t, json.Unmarshal([]byte(d.ok(t, "list", "--text", "junk", "--json")), &j))
	assert.Equal(t, "junk \x1b[31m", j["raw"])
	assert.Contains(t, j["damage"], "damaged")
}

func TestDelayedShow(t *testing.T) {
	t.Parallel()
	d := newDelayedCLI(t, delayedItem("Exporter", 1), "junk")
	id := d.id(t, "Exporter")
	out := d.ok(t, "show", id)
	for _, want := range []string{id, "class      Exporter\n", "queue      exports\n", "arguments  [1]\n", `payload    {"class":"Exporter","args":[1]}`} {
		assert.Contains(t, out, want)
	}
	assert.Contains(t, d.ok(t, "show", "--json", id), `"args":[1]`)
	assert.Contains(t, d.ok(t, "show", d.id(t, "junk")), "damaged    resque: the delayed job is damaged")
	assert.Equal(t, 2, strings.Count(d.ok(t, "show", strconv.FormatInt(d.due, 10)), "\n"))
	gone := d.run(t, "show", fmt.Sprint(d.due, ":0-0123456789abcdef"))
	assert.Equal(t, 1, gone.status)
	assert.Contains(t, gone.stderr, "no longer exists")
}

func TestDelayedRun(t *testing.T) {
	t.Parallel()
	d := newDelayedCLI(t, delayedItem("Exporter", 1), delayedItem("Exporter", 2), delayedItem("Importer", 3), "junk")
	id := d.id(t, "[1]")
	assert.Equal(t, "run 1\n", d.ok(t, "run", id))
	assert.Equal(t, []string{`{"class":"Exporter","args":[1]}`}, d.list(t, "queue:exports"))
	again := d.run(t, "run", id, d.id(t, "[2]"))
	assert.Equal(t, 1, again.status)
	assert.Equal(t, "run 1, 1 no longer existed\n", again.stdout)
	assert.Contains(t, again.stderr, id)
	damaged := d.run(t, "run", d.id(t, "junk"))
	assert.Equal(t, 1, damaged.status)
	assert.Contains(t, damaged.stderr, "damaged")

	refused := d.run(t, "run", "--all", "--class", "Importer")
	assert.Equal(t, 2, refused.status)
	assert.Contains(t, refused.stderr, "run 1 delayed job(s): confirm with --yes")
	assert.JSONEq(t, `{"done":1,"gone":0,"refused":1,"undo":[]}`, d.ok(t, "run", "--all", "--yes", "--json"))
	assert.Equal(t, []string{"junk"}, d.left(t))
	assert.Len(t, d.list(t, "queue:exports"), 3)
}

func TestDelayedRemoveAndClear(t *testing.T) {
	t.Parallel()
	d := newDelayedCLI(t, delayedItem("Exporter", 1), delayedItem("Exporter", 2), delayedItem("Importer", 3), "junk")
	one, junk := d.id(t, "[1]"), d.id(t, "junk")
	for _, args := range [][]string{{"remove", one}, {"remove", "--all"}, {"clear"}} {
		refused := d.run(t, args...)
		assert.Equal(t, 2, refused.status, args)
		assert.Contains(t, refused.stderr, "--yes", args)
	}
	assert.Len(t, d.left(t), 4)
	assert.Equal(t, "removed 2\n", d.ok(t, "remove", "--yes", one, junk))
	gone := d.run(t, "remove", "--yes", one)
	assert.Equal(t, 1, gone.status)
	assert.Equal(t, "removed 1\n", d.ok(t, "remove", "--all", "--class", "Exporter", "--args", "[2]", "--yes"))

	cleared := d.ok(t, "clear", "--yes", "--keep", "1h")
	assert.Contains(t, cleared, "removed 1\n")
	assert.Empty(t, d.left(t))
	_, undo, _ := strings.Cut(strings.TrimSpace(cleared), "undo: goresque delayed ")
	assert.Equal(t, "restored 1\n", d.ok(t, strings.Fields(undo)...))
	assert.Equal(t, []string{delayedItem("Importer", 3)}, d.left(t))
	assert.Equal(t, 1, d.run(t, strings.Fields(undo)...).status)

	var result struct {
		Done int
		Undo []string
	}
	require.NoError(t, json.Unmarshal([]byte(d.ok(t, "clear", "--yes", "--keep", "1h", "--json")), &result))
	assert.Equal(t, 1, result.Done)
	require.Len(t, result.Undo, 1)
	assert.JSONEq(t, `{"restored":1}`, d.ok(t, "restore", "--json", result.Undo[0]))
}

func TestDelayedRepair(t *testing.T) {
	t.Parallel()
	d := newDelayedCLI(t, delayedItem("Exporter", 1))
	_, err := d.redis.Do("ZREM", "resque:delayed_queue_schedule", d.due)
	require.NoError(t, err)
	_, err = d.redis.Do("ZADD", "resque:delayed_queue_schedule", 5, 5)
	require.NoError(t, err)
	assert.Equal(t, "None\n", d.ok(t, "list"))
	assert.Equal(t, "would add 1 second(s) with jobs, would remove 1 without\n", d.ok(t, "repair", "--dry-run"))
	assert.JSONEq(t, `{"added":1,"removed":1,"indexed":0,"dry_run":false}`, d.ok(t, "repair", "--json"))
	assert.Equal(t, "added 0 second(s) with jobs, removed 0 without\n", d.ok(t, "repair"))
	seconds, err := redis.Int64s(d.redis.Do("ZRANGE", "resque:delayed_queue_schedule", 0, -1))
	require.NoError(t, err)
	assert.Equal(t, []int64{d.due}, seconds)
}

func TestDelayedUsageErrors(t *testing.T) {
	t.Parallel()
	d := newDelayedCLI(t)
	id := fmt.Sprint(d.due, ":0-0123456789abcdef")
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"show", "x"}, "looks like"},
		{[]string{"show"}, "missing TIME|ID"},
		{[]string{"run"}, "or --all"},
		{[]string{"run", "--all", id}, "not both"},
		{[]string{"remove", "--class", "A", id}, "need --all"},
		{[]string{"remove", "--due-before", "2h", id}, "need --all"},
		{[]string{"run", "17"}, "looks like"},
		{[]string{"list", "--due-after", "yesterday"}, "want a time"},
		{[]string{"list", "--due-after", "5h", "--due-before", "2h"}, "nothing can match: --due-after"},
		{[]string{"list", "--args", "{}"}, "JSON array"},
		{[]string{"list", "--limit", "-1"}, "negative"},
		{[]string{"find"}, "missing CLASS"},
		{[]string{"find", ""}, "class is empty"},
		{[]string{"clear", "--class", "A"}, "unknown flag"},
		{[]string{"nope"}, "unknown command"},
		{[]string{"run", "--all", "--yes", "--class", ""}, "--class is empty"},
		{[]string{"remove", "--all", "--yes", "--queue", " "}, "--queue is empty"},
		{[]string{"remove", "--all", "--yes", "--args", ""}, "--args is empty"},
		{[]string{"remove", "--all", "--yes", "--due-before", ""}, "want a time"},
	} {
		got := d.run(t, test.args...)
		assert.Equal(t, 2, got.status, "%v: %s", test.args, got.stderr)
		assert.Contains(t, got.stderr, test.says, test.args)
	}
}

// What cannot be is a wrong call: it is refused without Redis.
func TestTimesThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"enqueue", "-q", "exports", "--at", "253402300800", "Exporter"},
		{"failed", "list", "--since", "1h", "--until", "2h"},
		{"failed", "remove", "--all", "--yes", "--since", "1h", "--until", "2h"},
	} {
		got := run(t, nil, []string{"REDIS_URL=redis://127.0.0.1:1"}, args...)
		assert.Equal(t, 2, got.status, "%v: %s", args, got.stderr)
	}
}
