package cli_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// ok runs a command that must succeed and returns what it prints.
func ok(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	got := run(t, nil, environ, args...)
	require.Equal(t, 0, got.status, got.stderr)
	return got.stdout
}

func do(t *testing.T, s *redistest.Server, command string, words ...any) {
	t.Helper()
	_, err := s.Conn(t).Do(command, words...)
	require.NoError(t, err)
}

func TestQueuesAndPeek(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL}
	assert.Equal(t, "None\n", ok(t, environ, "queues"))
	assert.Empty(t, ok(t, environ, "queues", "--json"))
	assert.Equal(t, "None\n", ok(t, environ, "peek", "unknown"))
	assert.Empty(t, ok(t, environ, "peek", "unknown", "--json"))

	ok(t, environ, "enqueue", "-q", "mail", "Mailer", "a<b>", `{"n": 12345678901234567890}`)
	ok(t, environ, "enqueue", "-q", "mail", "Mailer")
	do(t, s, "RPUSH", "resque:queue:mail", "non\x1bsense")
	do(t, s, "SADD", "resque:queues", "odd\x1b")

	assert.Equal(t, "        3  mail\n        0  odd?\n", ok(t, environ, "queues"))
	assert.Equal(t, "{\"queue\":\"mail\",\"size\":3,\"paused\":false}\n{\"queue\":\"odd\\u001b\",\"size\":0,\"paused\":false}\n", ok(t, environ, "queues", "--json"))

	assert.Equal(t, `Mailer ["a<b>",{"n":12345678901234567890}]`+"\nMailer []\nunreadable: non\\u001bsense\n", ok(t, environ, "peek", "mail"))
	assert.Equal(t, "Mailer []\n", ok(t, environ, "peek", "mail", "--start", "1", "--limit", "1"))
	assert.Equal(t, "unreadable: non\\u001bsense\n", ok(t, environ, "peek", "mail", "--start=-1", "--limit", "0"))
	assert.Equal(t, "Mailer []\nunreadable: non\\u001bsense\n", ok(t, environ, "peek", "mail", "--start", "-2"))
	behind := run(t, nil, environ, "peek", "mail", "--start", "3")
	assert.Equal(t, call{0, "None\n", "Queue mail has 3 job(s), and --start is 3: the first one is at position 0\n"}, behind)
	assert.Equal(t, []string{
		`{"queue":"mail","class":"Mailer","args":["a<b>",{"n":12345678901234567890}],"payload":{"class":"Mailer","args":["a<b>",{"n":12345678901234567890}]}}`,
		`{"queue":"mail","class":"Mailer","args":[],"payload":{"class":"Mailer","args":[]}}`,
		`{"queue":"mail","class":"","args":[],"payload":null,"damage":"invalid JSON at byte 1: unexpected 'o', want null","raw":"non\u001bsense"}`,
	}, strings.Split(strings.TrimSpace(ok(t, environ, "peek", "mail", "--json")), "\n"))

	do(t, s, "SET", "resque:queue:odd\x1b", "x")
	broken := run(t, nil, environ, "queues")
	assert.Equal(t, 1, broken.status)
	assert.Equal(t, "        3  mail\n", broken.stdout, "the other queues are shown")
	assert.Contains(t, broken.stderr, "WRONGTYPE")
	assert.Equal(t, 1, run(t, nil, environ, "peek", "odd\x1b").status)
	assert.Equal(t, 2, run(t, nil, environ, "peek", "mail", "--limit", "-1").status)
	assert.Equal(t, 2, run(t, nil, environ, "peek").status)
}

func TestQueuesRemove(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL}
	for _, queue := range []string{"a", "a", "b", "c"} {
		ok(t, environ, "enqueue", "-q", queue, "A")
	}
	refused := run(t, nil, environ, "queues", "remove", "a")
	assert.Equal(t, 2, refused.status)
	assert.Contains(t, refused.stderr, "this would remove queue a with its jobs (2): confirm with --yes")
	assert.Contains(t, ok(t, environ, "queues"), "2  a")

	got := run(t, nil, environ, "queues", "remove", "a", "unknown", "b", "--yes")
	assert.Equal(t, 1, got.status)
	assert.Equal(t, "** removed queue a with its jobs (2)\n** removed queue b with its jobs (1)\n", got.stdout)
	assert.Contains(t, got.stderr, `queue "unknown" does not exist: 'goresque queues' lists the queues`)
	assert.Equal(t, "        1  c\n", ok(t, environ, "queues"))
	assert.Equal(t, 2, run(t, nil, environ, "queues", "remove").status)
}

func TestInfo(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL}
	ok(t, environ, "enqueue", "-q", "exports", "Exporter", "1")
	ok(t, environ, "enqueue", "-q", "mail", "Mailer", "1")
	var want, got map[string]any
	require.NoError(t, json.Unmarshal(golden.Load(t, "info").Result, &want))
	require.NoError(t, json.Unmarshal([]byte(ok(t, environ, "info", "--json")), &got))
	assert.Equal(t, []any{s.URL}, got["servers"])
	delete(got, "servers")
	assert.Equal(t, "resque", got["namespace"], "ours")
	delete(got, "namespace")
	server, _ := got["server"].(map[string]any)
	if s.Real {
		assert.Equal(t, "master", server["role"])
		assert.NotEmpty(t, server["version"])
		assert.Regexp(t, `(?m)^server       \w+ \d+\.\S+, master$`, ok(t, environ, "info"))
	}
	for _, ours := range []string{"server", "paused", "paused_queues"} {
		assert.Contains(t, got, ours)
		delete(got, ours)
	}
	assert.Equal(t, want, got, "Ruby's")
	assert.Contains(t, ok(t, append(environ, "RAILS_ENV=production"), "info"), "pending      2\nprocessed    0\nqueues       2\nworkers      0\nworking      0\nfailed       0\npaused       no\n"+
		"servers      "+s.URL+"\nenvironment  production\n")
}

func TestWhatIsPausedIsShown(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL}
	for _, queue := range []string{"a", "b", "c"} {
		ok(t, environ, "enqueue", "-q", queue, "A")
	}
	paused := func() string {
		t.Helper()
		_, after, _ := strings.Cut(ok(t, environ, "info"), "paused       ")
		line, _, _ := strings.Cut(after, "\n")
		return line
	}
	assert.Equal(t, "no", paused())
	ok(t, environ, "pause", "c")
	ok(t, environ, "pause", "a")
	assert.Equal(t, "queues a, c", paused())
	assert.Equal(t, "        1  a  (paused)\n        1  b\n        1  c  (paused)\n", ok(t, environ, "queues"))
	assert.Contains(t, ok(t, environ, "queues", "--json"), `{"queue":"a","size":1,"paused":true}`+"\n")
	for _, pause := range []string{"resque:pause-all-workers", "resque:pause:all"} { // Ruby's, and that of resque-pause
		do(t, s, "SET", pause, "true")
		assert.Equal(t, "all workers, queues a, c", paused())
		assert.Contains(t, run(t, nil, environ, "queues").stderr, "All workers are paused: 'goresque resume' lets them take jobs again")
		do(t, s, "DEL", pause)
	}
	do(t, s, "SET", "resque:pause-all-workers", "true")
	var got struct {
		Paused bool     `json:"paused"`
		Queues []string `json:"paused_queues"`
	}
	require.NoError(t, json.Unmarshal([]byte(ok(t, environ, "info", "--json")), &got))
	assert.True(t, got.Paused)
	assert.Equal(t, []string{"a", "c"}, got.Queues)
}

func TestInfoShowsReplicas(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinels(t, 1)
	assert.Regexp(t, `(?m)^server .*, master, 1 replicas, \d s behind$`, ok(t, []string{"REDIS_URL=" + g.URL}, "info"))
}

// A user who may not ask the server about itself sees the rest.
func TestInfoWithoutTheRightToAskTheServer(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t, "--user", "ann", "on", ">w0rd", "~resque:*", "+@all", "-info")
	got := ok(t, []string{"REDIS_URL=" + strings.Replace(s.URL, "://", "://ann:w0rd@", 1)}, "info")
	assert.Contains(t, got, "pending      0\n")
	assert.NotContains(t, got, "server       ")
}

// A key of another type is an error, and the other numbers are shown.
func TestInfoNamesAKeyOfAnotherType(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL}
	ok(t, environ, "enqueue", "-q", "exports", "Exporter", "1")
	_, err := s.Conn(t).Do("SET", "resque:failed", "text")
	require.NoError(t, err)
	got := run(t, nil, environ, "info")
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stdout, "pending      1\n")
	assert.Contains(t, got.stderr, `the key "resque:failed" does not have Resque's type`)
}

// A Rails job is shown by its own class.
func TestPeekShowsTheRailsJob(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL}
	rails := `{"class":"` + activejob.JobWrapper + `","args":[{"job_class":"ExportJob","job_id":"0b9a","executions":0,"arguments":[42,"a\u2028b\u001b"]}]}`
	payload := strings.NewReplacer(`\u2028`, "\u2028").Replace(rails)
	_, err := s.Conn(t).Do("RPUSH", "resque:queue:q", payload)
	require.NoError(t, err)
	assert.Equal(t, "ExportJob [42,\"a b\\u001b\"]\n", ok(t, environ, "peek", "q"))
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(ok(t, environ, "peek", "q", "--json")), &got))
	assert.Equal(t, activejob.JobWrapper, got["class"], "as in the payload")
	assert.Equal(t, "ExportJob", got["rails"].(map[string]any)["class"])
}

// The queue named "" can be removed like any other.
func TestRemoveTheQueueWithoutAName(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL}
	_, err := s.Conn(t).Do("SADD", "resque:queues", "", "exports")
	require.NoError(t, err)
	ok(t, environ, "queues", "remove", "", "--yes")
	assert.Equal(t, "        0  exports\n", ok(t, environ, "queues"))
}

func TestEnqueueFrontAndJSON(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL}
	ok(t, environ, "enqueue", "-q", "q", "A", "1")
	assert.Equal(t, `{"queued":true,"queue":"q","payload":{"class":"A","args":["<b>"]}}`+"\n",
		ok(t, environ, "enqueue", "-q", "q", "A", "<b>", "--front", "--json"))
	assert.Equal(t, "A [\"<b>\"]\nA [1]\n", ok(t, environ, "peek", "q"))
}

// The hooks of a class that the command knows are called, and a refusal is reported.
func TestEnqueueReportsAVeto(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	vetoed := resque.Define1[int]("A", "q",
		resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) { return false, nil }))
	mux := resque.NewMux()
	mux.Handle(vetoed.Handler(func(context.Context, int) error { return nil }))
	for _, test := range []struct{ flag, want string }{
		{"--front=false", "not queued, because a hook of the class refused it: {\"class\":\"A\",\"args\":[1]}\n"},
		{"--json", "{\"queued\":false,\"queue\":\"q\",\"payload\":{\"class\":\"A\",\"args\":[1]}}\n"},
	} {
		got := run(t, mux, []string{"REDIS_URL=" + s.URL}, "enqueue", "A", "1", test.flag)
		assert.Equal(t, 0, got.status, got.stderr)
		assert.Equal(t, test.want, got.stdout)
	}
	assert.Empty(t, golden.Dump(t, s.Conn(t)))
}

func TestListJSON(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL}
	assert.Empty(t, ok(t, environ, "list", "--json"))
	do(t, s, "SADD", "resque:workers", "web-1~go:7-2:a,b", "web-1:9:*", "odd:1:q")
	do(t, s, "SET", "resque:worker:web-1~go:7-2:a,b", `{"queue":"a","run_at":"2026-01-15T12:34:56Z","payload":{"class":"A","args":["<"]}}`)
	do(t, s, "SET", "resque:worker:web-1~go:7-2:a,b:started", "2026-01-15 12:30:00 +0000")
	do(t, s, "SET", "resque:stat:processed:web-1~go:7-2:a,b", 5)
	do(t, s, "HSET", "resque:workers:heartbeat", "web-1~go:7-2:a,b", "2026-01-15T12:34:00+00:00")
	do(t, s, "SET", "resque:worker:odd:1:q", "{")
	do(t, s, "SADD", "resque:workers", "zed:1:q")
	do(t, s, "SET", "resque:worker:zed:1:q", `{"queue":"q","run_at":"2026-01-15T12:34:56Z","payload":{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":[{"job_class":"Inner","job_id":"1","arguments":[7]}]}}`)
	lines := strings.Split(strings.TrimSpace(ok(t, environ, "list", "--json")), "\n")
	require.Len(t, lines, 4)
	assert.Contains(t, lines[3], `"active_job":{"class":"Inner"`)
	assert.Contains(t, lines[0], `"job":{"queue":"","run_at":null,"class":"","args":[]},"damage":"`)
	assert.Equal(t, `{"id":"web-1:9:*","host":"web-1","pid":9,"slot":0,"go":false,"queues":["*"],"state":"idle",`+
		`"started":null,"heartbeat":null,"processed":0,"failed":0,"job":null}`, lines[1])
	assert.Equal(t, `{"id":"web-1~go:7-2:a,b","host":"web-1","pid":7,"slot":2,"go":true,"queues":["a","b"],"state":"working",`+
		`"started":"2026-01-15T12:30:00Z","heartbeat":"2026-01-15T12:34:00Z","processed":5,"failed":0,`+
		`"job":{"queue":"a","run_at":"2026-01-15T12:34:56Z","class":"A","args":["<"]}}`, lines[2])
}

func TestListingsDoNotShowEncryptedArguments(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL}
	do(t, s, "RPUSH", "resque:queue:mail", `{"class":"Mailer","args":[{"_encrypted":"v1","key":"k","data":"AAAA"}]}`)
	assert.Equal(t, "Mailer <encrypted>\n", ok(t, environ, "peek", "mail"))
}

// One may pause a queue that does not exist yet, as in Ruby, but it may be a typing error.
func TestQueuesThatDoNotExistYet(t *testing.T) {
	t.Parallel()
	environ := []string{"REDIS_URL=" + redistest.StartEmbedded(t).URL}
	ok(t, environ, "enqueue", "-q", "exports", "A")
	for args, want := range map[string]string{
		"pause export":   "Queue export does not exist yet: did you mean exports?\n",
		"resume export":  "Queue export does not exist yet: did you mean exports?\n",
		"peek exprots":   "Queue exprots does not exist yet: did you mean exports?\n",
		"pause mail":     "Queue mail does not exist yet: 'goresque queues' lists the queues\n",
		"pause exports":  "",
		"resume exports": "",
		"peek exports":   "",
		"peek a --json":  "Queue a does not exist yet: 'goresque queues' lists the queues\n",
		"pause":          "",
		"resume":         "",
	} {
		got := run(t, nil, environ, strings.Fields(args)...)
		assert.Zero(t, got.status, args)
		assert.Equal(t, want, got.stderr, args)
	}
}
