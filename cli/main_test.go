package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// call is the result of one call of the command.
type call struct {
	status         int
	stdout, stderr string
}

// knows returns an App.Mux for jobs that need no client. mux may be nil.
func knows(mux *resque.Mux) func(context.Context, *resque.Client) (*resque.Mux, error) {
	if mux == nil {
		return nil
	}
	return func(context.Context, *resque.Client) (*resque.Mux, error) { return mux, nil }
}

// patientRedis has longer timeouts than usual, which would end calls on a machine that stands
// still for seconds.
func patientRedis() resque.RedisConfig {
	return resque.RedisConfig{DialTimeout: time.Minute, ReadTimeout: time.Minute, WriteTimeout: time.Minute}
}

// run calls the command; each element of environ is "NAME=value".
func run(t *testing.T, mux *resque.Mux, environ []string, args ...string) call {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := cli.App{Mux: knows(mux), Redis: patientRedis()}.Run(t.Context(), args, environ, &stdout, &stderr)
	return call{status, stdout.String(), stderr.String()}
}

func TestExitStatusOfErrors(t *testing.T) {
	t.Parallel()
	away := "REDIS_URL=redis://ann:secret@127.0.0.1:1"
	for _, test := range []struct {
		name    string
		environ []string
		args    []string
		status  int
		says    []string
	}{
		{"no queue names both ways", nil, []string{"work"}, 2, []string{"QUEUE=exports goresque work", "--queue exports"}},
		{"only commas", nil, []string{"work", "-q", " , "}, 2, []string{"no queue given"}},
		{"unknown command", nil, []string{"worx"}, 2, []string{`unknown command "worx"`, "work", "--help"}},
		{"unknown flag", nil, []string{"work", "--nope"}, 2, []string{"--nope", "goresque work --help"}},
		{"bad interval", []string{"INTERVAL=soon"}, []string{"work", "-q", "a"}, 2, []string{`INTERVAL: want a number of seconds`, `got "soon"`}},
		{"negative interval", nil, []string{"work", "-q", "a", "-i", "-1"}, 2, []string{"0 or more seconds"}},
		{"bad concurrency", []string{"CONCURRENCY=many"}, []string{"work", "-q", "a"}, 2, []string{`CONCURRENCY: want a whole number, got "many"`}},
		{"no concurrency", []string{"CONCURRENCY=0"}, []string{"work", "-q", "a"}, 2, []string{"at least 1"}},
		{"bad choice", nil, []string{"work", "-q", "a", "--on-crash", "cry"}, 2, []string{"fail or requeue"}},
		{"bad address", []string{"REDIS_URL=http://x"}, []string{"work", "-q", "a"}, 2, []string{"redis://, rediss:// or unix://"}},
		{"redis away", []string{away}, []string{"list"}, 1, []string{"127.0.0.1:1", "redis-server", "REDIS_URL"}},
		{"redis away at enqueue", []string{away}, []string{"enqueue", "-q", "a", "A"}, 1, []string{"127.0.0.1:1", "redis-server"}},
		{"no class", nil, []string{"enqueue"}, 2, []string{"missing CLASS"}},
		{"no queue for a class", nil, []string{"enqueue", "Exporter"}, 2, []string{"-q QUEUE Exporter"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := run(t, nil, test.environ, test.args...)
			assert.Equal(t, test.status, got.status, got.stderr)
			assert.Empty(t, got.stdout)
			assert.NotContains(t, got.stderr, "secret")
			for _, want := range test.says {
				assert.Contains(t, got.stderr, want)
			}
		})
	}
}

func TestEnqueueWritesWhatRubyWrites(t *testing.T) {
	t.Parallel()
	mux := resque.NewMux()
	mux.Handle(resque.Define0("Exporter", "exports").UncheckedHandler(func(context.Context, *resque.Payload) error { return nil }))
	for _, test := range []struct {
		name string
		args []string
	}{
		{"enqueue", []string{"-q", "exports", "Exporter", "1", "a"}},
		{"enqueue_no_args", []string{"Exporter"}}, // the mux knows its queue
		{"enqueue_to", []string{"--queue", "urgent", "Exporter", `{"id": 7, "opts": [null, true, 1.0]}`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			got := run(t, mux, []string{"REDIS_URL=" + s.URL}, append([]string{"enqueue"}, test.args...)...)
			require.Equal(t, 0, got.status, got.stderr)
			assert.Contains(t, got.stdout, "queued on ")
			assert.Equal(t, golden.Load(t, test.name).Keyspace, golden.Dump(t, s.Conn(t)))
		})
	}
}

func TestEnqueueChecksTheArgumentsOfKnownClasses(t *testing.T) {
	t.Parallel()
	type opts struct {
		Rows int `json:"rows"`
	}
	mux := resque.NewMux()
	mux.Handle(resque.Define2[int64, opts]("Exporter", "q").Handler(func(context.Context, int64, opts) error { return nil }).Use(resque.RecoverPerform))
	mux.Handle(resque.Define1[string]("Mailer", "q").Handler(func(context.Context, string) error { return nil }))
	mux.Handle(activejob.Define1[int64]("ExportJob", "q").Handler(func(context.Context, int64) error { return nil }))
	mux.HandleFunc("Any", func(context.Context, *resque.Payload) error { return nil })
	s := redistest.Start(t)
	for args, want := range map[string]string{
		`Exporter x {}`:           `Exporter: argument 1: want int64, got "x"`,
		`Exporter 1`:              `Exporter: wrong number of arguments (given 1, expected 2)`,
		`Exporter 1 {"rows":"a"}`: `Exporter: argument 2, field "rows": want int, got "a"`,
		`Mailer 42`:               `Mailer: argument 1: want string, got 42; put a string that is also JSON in double quotes, as '"42"'`,
		`ExportJob x`:             `ExportJob: argument 1: want int64, got "x"`,
		`ExportJob`:               `ExportJob: wrong number of arguments (given 0, expected 1)`,
		`Exporter 1 {"rows":2}`:   ``,
		`Mailer "42"`:             ``,
		`ExportJob 42`:            ``,
		`-q q Any x 1`:            ``,
		`-q q Unknown x`:          ``,
	} {
		got := run(t, mux, []string{"REDIS_URL=" + s.URL}, append([]string{"enqueue"}, strings.Fields(args)...)...)
		if want == "" {
			require.Equal(t, 0, got.status, got.stderr)
			continue
		}
		assert.Equal(t, 2, got.status, args)
		assert.Contains(t, got.stderr, want, args)
	}
	size, err := s.Client(t).Size(t.Context(), "q")
	require.NoError(t, err)
	assert.EqualValues(t, 5, size)
}

// A Rails class is enqueued in Rails' wrapper, whatever the queue.
func TestEnqueueWrapsJobsOfRails(t *testing.T) {
	t.Parallel()
	mux := resque.NewMux()
	mux.Handle(activejob.Define1[int64]("ExportJob", "exports").Handler(func(context.Context, int64) error { return nil }))
	s := redistest.Start(t)
	for _, flags := range [][]string{nil, {"-q", "urgent"}} {
		got := run(t, mux, []string{"REDIS_URL=" + s.URL}, append(append([]string{"enqueue"}, flags...), "ExportJob", "42")...)
		require.Equal(t, 0, got.status, got.stderr)
	}
	client := s.Client(t)
	for _, queue := range []string{"exports", "urgent"} {
		job, ok, err := client.Pop(t.Context(), queue)
		require.NoError(t, err)
		require.True(t, ok, queue)
		inside, ok := activejob.Unwrap(job)
		require.True(t, ok)
		data, _ := activejob.DataOf(job)
		assert.Equal(t, []string{"ExportJob", queue}, []string{inside.Class, data.Queue})
		assert.Equal(t, []json.RawMessage{json.RawMessage("42")}, inside.Args)
	}
}

func TestEnqueueTakesDashesAfterDashes(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	got := run(t, nil, []string{"REDIS_URL=" + s.URL}, "enqueue", "-q", "q", "A", "--", "-1", "-x", "1e20", "nope")
	require.Equal(t, 0, got.status, got.stderr)
	assert.Equal(t, "queued on q: {\"class\":\"A\",\"args\":[-1,\"-x\",1.0e+20,\"nope\"]}\n", got.stdout)
}

func TestFlagsOverrideEnvironment(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=127.0.0.1:1", "RESQUE_NAMESPACE=other"}
	got := run(t, nil, environ, "enqueue", "-r", s.URL, "-N", "mine", "-q", "q", "A")
	require.Equal(t, 0, got.status, got.stderr)
	assert.Contains(t, golden.Dump(t, s.Conn(t)), "mine:queue:q")
}

func TestWorkDrainsAndLogsOneLineAJob(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	var performed []int64
	mux := resque.NewMux()
	mux.Handle(resque.Define1[int64]("Exporter", "exports").Handler(func(_ context.Context, id int64) error {
		performed = append(performed, id)
		return nil
	}))
	for _, id := range []string{"1", "2"} {
		require.Equal(t, 0, run(t, mux, []string{"REDIS_URL=" + s.URL}, "enqueue", "Exporter", id).status)
	}
	// QUEUES overrides QUEUE, as in Ruby.
	got := run(t, mux, []string{"REDIS_URL=" + s.URL, "INTERVAL=0", "QUEUES=exports", "QUEUE=nothing"}, "work")
	require.Equal(t, 0, got.status, got.stderr)
	assert.Equal(t, []int64{1, 2}, performed)

	jobs := 0
	for line := range strings.Lines(got.stderr) {
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
		if entry["msg"] == "job done" {
			jobs++
			assert.Equal(t, "Exporter", entry["class"])
			assert.NotContains(t, line, "args")
		}
	}
	assert.Equal(t, 2, jobs)
}

func TestHelpNamesTheVariables(t *testing.T) {
	t.Parallel()
	got := run(t, nil, nil, "work", "--help")
	require.Equal(t, 0, got.status)
	for _, name := range []string{"QUEUE", "INTERVAL", "MIN_INTERVAL", "CONCURRENCY", "REDIS_URL", "RESQUE_NAMESPACE"} {
		assert.Contains(t, got.stdout, name)
	}
	version := run(t, nil, nil, "version")
	assert.Contains(t, version.stdout, cli.Version)
}
