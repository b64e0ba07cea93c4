package worker_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// raised is an error like those that the recorded Ruby classes raise.
type raised struct{ class, message string }

func (e raised) Error() string         { return e.message }
func (e raised) ExceptionName() string { return e.class }

// recordedMux performs the classes of the recordings.
func recordedMux() *resque.Mux {
	mux := resque.NewMux()
	mux.Handle(resque.Define1[int64]("Exporter", "exports").Handler(func(_ context.Context, id int64) error {
		switch id {
		case 13:
			return raised{"ArgumentError", "no export 13"}
		case 14:
			return raised{"RuntimeError", "héllo \"quoted\" <b>&\u2028"}
		default:
			return nil
		}
	}))
	mux.Handle(resque.Define1[int64]("Skipper", "exports").Handler(func(context.Context, int64) error {
		return errors.New("performed although it was vetoed")
	}).Use(resque.BeforePerform(func(context.Context, *resque.Payload) error { return resque.ErrDontPerform })))
	mux.Handle(resque.Define1[int64]("Mailer", "mail").Handler(func(context.Context, int64) error { return nil }))
	return mux
}

// respelled is a text that Go writes differently from Ruby, and the reason.
type respelled struct{ goText, ruby, why string }

// deviation is a command that only one side sends, and the reason.
type deviation struct{ command, why string }

const noFrames = "an error that is returned has no stack, as an exception that is raised has"

func frames() respelled {
	return respelled{`"backtrace":[]`, `"backtrace":["{FRAME}"]`, noFrames}
}

// workScenario is a recording that a Go worker repeats.
type workScenario struct {
	name      string
	queues    []string
	jobs      []resque.Job
	keys      map[string]string
	lists     resque.FailureLists
	respelled []respelled
}

func workScenarios() []workScenario {
	exporter := func(id int) resque.Job { return resque.Job{Queue: "exports", Class: "Exporter", Args: []any{id}} }
	mailer := resque.Job{Queue: "mail", Class: "Mailer", Args: []any{1}}
	exports := []string{"exports"}
	return []workScenario{
		{name: "work_empty", queues: exports},
		{name: "work_one", queues: exports, jobs: []resque.Job{exporter(1)}},
		{name: "work_fail", queues: exports, jobs: []resque.Job{exporter(13)}, respelled: []respelled{frames()}},
		{name: "work_fail_unicode", queues: exports, jobs: []resque.Job{exporter(14)}, respelled: []respelled{frames()}},
		{
			name: "multi_queue_fail", queues: exports, jobs: []resque.Job{exporter(13)},
			lists: resque.FailuresByQueue, respelled: []respelled{frames()},
		},
		{
			name: "work_unknown_class", queues: exports,
			jobs: []resque.Job{{Queue: "exports", Class: "Nope", Args: []any{1}}},
			respelled: []respelled{frames(), {
				"uninitialized constant Nope (no Go handler is registered for this class)",
				`uninitialized constant Nope\n\n        constant = constant.const_missing(name)\n                           ^^^^^^^^^^^^^^`,
				"Ruby's error_highlight quotes Ruby's source; ours names the solution",
			}},
		},
		{
			name: "work_dont_perform", queues: exports,
			jobs: []resque.Job{{Queue: "exports", Class: "Skipper", Args: []any{1}}},
		},
		{name: "work_two_queues", queues: []string{"exports", "mail"}, jobs: []resque.Job{mailer, exporter(1)}},
		{name: "work_star", queues: []string{"*"}, jobs: []resque.Job{mailer, exporter(1)}},
		{name: "work_glob_not", queues: []string{"*", "!mail"}, jobs: []resque.Job{mailer, exporter(1)}},
		{name: "work_glob_prefix", queues: []string{"exp*", "m?il"}, jobs: []resque.Job{mailer, exporter(1)}},
		{
			name: "work_paused_all", queues: exports, jobs: []resque.Job{exporter(1)},
			keys: map[string]string{"resque:pause-all-workers": "true"},
		},
	}
}

// onlyRuby returns the commands of every recorded worker that a Go worker does not
// need.
func onlyRuby(id string) []deviation {
	return []deviation{
		{`hdel ["resque:workers:heartbeat" "` + id + `"]`, "Ruby clears the heartbeat of an earlier life under its pid first; ours is written over"},
		{`del "resque:worker:` + id + `"`, "Ruby deletes its record once more when it leaves; ours leaves only when there is none"},
	}
}

// writtenOver returns the deletions of records that a slot's next job overwrites in the
// same transaction.
func writtenOver(id string, writes []string) []deviation {
	var all []deviation
	for _, w := range writes {
		if strings.HasPrefix(w, `set ["resque:worker:`+id+`" `) {
			all = append(all, deviation{`del "resque:worker:` + id + `"`, "the next job's record is written over this one"})
		}
	}
	return all[min(1, len(all)):]
}

func TestWorkerLeavesWhatRubyLeaves(t *testing.T) {
	t.Parallel()
	for _, s := range workScenarios() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			recording := golden.Load(t, s.name)
			server := redistest.StartReal(t)
			s.prepare(t, server)

			stop := server.Monitor(t)
			w := newWorker(t, server, recordedMux(), worker.Config{Queues: s.queues, UntilEmpty: true, FailureLists: s.lists})
			require.NoError(t, w.Run(t.Context()))
			commands := stop()

			space := golden.Dump(t, server.Conn(t))
			for _, r := range s.respelled {
				require.True(t, respell(commands, space, r), "nothing to respell any more: %s", r.why)
			}
			assert.Equal(t, recordedSpace(recording), space)
			id := recordedID(t, recording)
			writes := golden.Writes(recording.Commands)
			ruby := without(t, writes, append(onlyRuby(id), writtenOver(id, writes)...))
			ours := golden.Writes(commands)
			if s.name == "work_glob_not" {
				const why = "the queues that a worker leaves out are for the dashboard; the id does not have them"
				ours = without(t, ours, []deviation{
					{`hset ["resque:goresque:intervals" "` + id + `" "60 300 !mail"]`, why},
					{`hdel ["resque:goresque:intervals" "` + id + `"]`, why},
				})
			}
			assert.Equal(t, ruby, ours)
		})
	}
}

func (s workScenario) prepare(t *testing.T, server *redistest.Server) {
	t.Helper()
	client := server.Client(t)
	for _, job := range s.jobs {
		_, err := client.Enqueue(t.Context(), job)
		require.NoError(t, err)
	}
	for key, value := range s.keys {
		do(t, server.Conn(t), "SET", key, value)
	}
}

// TestWorkerInTheMiddleOfAJobLooksLikeRuby compares what a dashboard sees.
func TestWorkerInTheMiddleOfAJobLooksLikeRuby(t *testing.T) {
	t.Parallel()
	recording := golden.Load(t, "worker_working")
	server := redistest.StartReal(t)
	begun, release := make(chan struct{}), make(chan struct{})
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error {
		close(begun)
		<-release
		return nil
	})
	enqueue(t, server, resque.Job{Queue: "exports", Class: "Exporter", Args: []any{1}})

	stop := server.Monitor(t)
	w := newWorker(t, server, mux, worker.Config{Queues: []string{"exports"}, UntilEmpty: true})
	end := goRun(t, w)
	<-begun
	commands := stop()
	assert.Equal(t, recordedSpace(recording), golden.Dump(t, server.Conn(t)))
	ruby := without(t, golden.Writes(recording.Commands), onlyRuby(recordedID(t, recording))[:1])
	assert.Equal(t, ruby, golden.Writes(commands))
	close(release)
	require.NoError(t, <-end)
}

// TestPayloadThatIsNotJSONIsKept differs from Ruby's work_bad_json on purpose:
// Ruby loses the payload, and its worker ends before the next job.
func TestPayloadThatIsNotJSONIsKept(t *testing.T) {
	t.Parallel()
	recording := golden.Load(t, "work_bad_json")
	assert.Contains(t, recording.Keyspace, "resque:queue:exports", "Ruby never came to the second job")
	assert.NotContains(t, recording.Keyspace, "resque:failed")

	server := redistest.StartReal(t)
	c := server.Conn(t)
	do(t, c, "SADD", "resque:queues", "exports")
	do(t, c, "RPUSH", "resque:queue:exports", `{"class":"Exporter"`, `{"class":"Exporter","args":[1]}`)
	w := newWorker(t, server, recordedMux(), worker.Config{Queues: []string{"exports"}, UntilEmpty: true})
	require.NoError(t, w.Run(t.Context()))

	space := golden.Dump(t, c)
	failed := `{"failed_at":"{FAILED_AT}","payload":{"class":"<unreadable>","args":["{\"class\":\"Exporter\""]},` +
		`"exception":"Resque::Helpers::DecodeException","error":`
	records := space["resque:failed"].Value.([]any)
	require.Len(t, records, 1)
	assert.True(t, strings.HasPrefix(records[0].(string), failed), "record %s", records[0])
	delete(space, "resque:failed")
	assert.Equal(t, map[string]golden.Value{
		"resque:queues":         {Type: "set", Value: []any{"exports"}},
		"resque:stat:failed":    {Type: "string", Value: "1"},
		"resque:stat:processed": {Type: "string", Value: "2"},
	}, space)
}

// recordedID is the id that the recorded worker registered under.
func recordedID(t *testing.T, s golden.Scenario) string {
	t.Helper()
	at := slices.IndexFunc(s.Commands, func(words []string) bool {
		return words[0] == "sadd" && words[1] == "resque:workers"
	})
	require.GreaterOrEqual(t, at, 0, "the recording has no worker")
	return s.Commands[at][2]
}

// recordedSpace returns the keyspace of a recording without Ruby's pruning lock, which
// expires.
func recordedSpace(s golden.Scenario) map[string]golden.Value {
	space := maps.Clone(s.Keyspace)
	delete(space, "resque:pruning_dead_workers_in_progress")
	return space
}

// without returns writes without one of each command that only one side has.
func without(t *testing.T, writes []string, deviations []deviation) []string {
	t.Helper()
	writes = slices.Clone(writes)
	for _, d := range deviations {
		at := slices.Index(writes, d.command)
		require.GreaterOrEqual(t, at, 0, "no %s among %q: %s", d.command, writes, d.why)
		writes = slices.Delete(writes, at, at+1)
	}
	return writes
}

// respell replaces Go's text by Ruby's in commands and in a keyspace's lists. It returns
// false if neither has the text.
func respell(commands [][]string, space map[string]golden.Value, r respelled) bool {
	found := 0
	put := func(text string) string {
		found += strings.Count(text, r.goText)
		return strings.ReplaceAll(text, r.goText, r.ruby)
	}
	for _, words := range commands {
		for i, word := range words {
			if words[0] == "rpush" {
				words[i] = put(word)
			}
		}
	}
	for _, value := range space {
		if list, ok := value.Value.([]any); ok {
			for i, item := range list {
				list[i] = put(item.(string))
			}
		}
	}
	return found == 2
}

// newWorker returns a worker. Unless a test sets StopGrace, jobs that were told to end have
// a minute to do so, however busy the machine is.
func newWorker(t *testing.T, server *redistest.Server, handler resque.Handler, cfg worker.Config) *worker.Worker {
	t.Helper()
	if cfg.StopGrace == 0 && (cfg.StopTimeout > 0 || cfg.ForkPerJob) {
		cfg.StopGrace = time.Minute
	}
	cfg.Logger = quiet(t, cfg.Logger)
	w, err := worker.New(server.Client(t), handler, cfg)
	require.NoError(t, err)
	return w
}

// goRun runs w and returns a channel with the error of Run. The end of the test stops
// the worker.
func goRun(t *testing.T, w *worker.Worker) <-chan error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	end, gone := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(gone)
		end <- w.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-gone
	})
	return end
}

func enqueue(t *testing.T, server *redistest.Server, jobs ...resque.Job) {
	t.Helper()
	client := server.Client(t)
	for _, job := range jobs {
		_, err := client.Enqueue(t.Context(), job)
		require.NoError(t, err)
	}
}

func do(t *testing.T, c redis.Conn, command string, args ...any) any {
	t.Helper()
	reply, err := c.Do(command, args...)
	require.NoError(t, err)
	return reply
}
