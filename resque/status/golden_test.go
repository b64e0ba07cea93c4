package status_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
	"github.com/goresque/goresque/resque/status"
	"github.com/goresque/goresque/worker"
)

// options are those of the recorded jobs.
type options struct {
	Mode string `json:"mode"`
	Num  int    `json:"num"`
}

// exception is an error with the name of a Ruby exception.
type exception struct{ class, text string }

func (e exception) Error() string         { return e.text }
func (e exception) ExceptionName() string { return e.class }

// performed does what the recorded class does.
func performed(ctx context.Context, p *status.Progress, o options) error {
	switch o.Mode {
	case "steps":
		for i := range o.Num {
			if err := p.At(ctx, i+1, o.Num, "At "+string(rune('1'+i))+" of "+string(rune('0'+o.Num))); err != nil {
				return err
			}
		}
	case "tick":
		if err := p.Tick(ctx, "half way"); err != nil {
			return err
		}
		return p.Set(ctx, "extra", 1)
	case "completed":
		p.Complete("Finished!")
		return p.Set(ctx, "file", "out.csv")
	case "failed":
		p.Fail("not good")
	case "raise":
		return exception{"RuntimeError", "boom <b>"}
	case "bad_total":
		return p.At(ctx, 1, 0, "")
	}
	return nil
}

// raw is a definition whose options are any JSON.
func raw(class, queue string, settings ...resque.Setting) status.Definition[json.RawMessage] {
	return status.Define[json.RawMessage](class, queue, append(settings, status.ExpireIn(-1))...)
}

// keys are the keys of Redis, cleaned, without those of workers and schedulers.
type keys map[string]any

// difference is why goresque deliberately does something else than a recording, and how its
// keys then differ.
type difference struct {
	why  string
	edit func(want keys)
}

// differences are the only ones. One that is not needed fails.
func differences() map[string]difference {
	const queued = `{"time":0,"status":"queued","uuid":"` + uuid1 + `","options":`
	withoutStatus := func(queue, payload string) func(keys) {
		return func(want keys) {
			delete(want, "resque:_statuses")
			delete(want, "resque:status:"+uuid1)
			want["resque:queue:"+queue] = []any{payload}
		}
	}
	const scheduled = "a scheduler does not know the class: the job has no uuid, and no status until a worker takes it"
	return map[string]difference{
		"perform_killed": {"a waiting job that was killed is not begun: it has no name", func(want keys) {
			text := want["resque:status:"+uuid1].(string)
			want["resque:status:"+uuid1] = strings.Replace(text, `"name":"Export({\"mode\"=>\"steps\", \"num\"=>2})",`, "", 1)
		}},
		"enqueue_at": {"the uuid and the status are made when the job is delayed, because the scheduler does not know the class", func(want keys) {
			const item = `{"class":"Export","args":["` + uuid1 + `",{"mode":"none"}],"queue":"exports"}`
			for key := range want {
				if strings.HasPrefix(key, "resque:timestamps:") {
					delete(want, key)
				}
			}
			want["resque:delayed:{SECOND}"] = []any{item}
			want["resque:timestamps:"+item] = []any{"delayed:{SECOND}"}
			want["resque:status:"+uuid1] = queued + `{"mode":"none"}}`
			want["resque:_statuses"] = []any{[]any{uuid1, "{SECOND}"}}
		}},
		"scheduler_move":                    {scheduled, withoutStatus("exports", `{"class":"Export","args":[{"mode":"none"}]}`)},
		"schedule_custom_job_class":         {scheduled, withoutStatus("scoring", `{"class":"Export","args":[{"x":1}]}`)},
		"schedule_custom_job_class_no_args": {scheduled, withoutStatus("scoring", `{"class":"Export","args":[]}`)},
	}
}

const uuid1, uuid2, uuid3 = "00000000000000000000000000000001", "00000000000000000000000000000002", "00000000000000000000000000000003"

// calls are what programs in Go do for the recorded calls in Ruby.
func calls(t *testing.T) map[string]func(ctx context.Context, c *resque.Client) (returned any, err error) {
	t.Helper()
	type call = func(ctx context.Context, c *resque.Client) (any, error)
	export, text := raw("Export", "exports"), func(s string) json.RawMessage { return json.RawMessage(s) }
	create := func(d status.Definition[json.RawMessage], options string) call {
		return func(ctx context.Context, c *resque.Client) (any, error) { return d.Enqueue(ctx, c, text(options)) }
	}
	ids := func(first, count int64) call {
		return func(ctx context.Context, c *resque.Client) (any, error) {
			all, _, err := status.List(ctx, c, first, count)
			var ids []string
			for _, s := range all {
				ids = append(ids, s.ID)
			}
			return ids, err
		}
	}
	get := func(ctx context.Context, c *resque.Client) (any, error) {
		s, ok, err := status.Get(ctx, c, uuid1)
		assert.True(t, ok)
		return s, err
	}
	entry := func(config string) call {
		return func(ctx context.Context, c *resque.Client) (any, error) {
			if err := store(ctx, c, config); err != nil {
				return nil, err
			}
			receipt, err := scheduler.RunNow(ctx, c, "entry")
			return receipt.Enqueued(), err
		}
	}
	return map[string]call{
		"create":                 create(export, `{"mode":"none","k":1}`),
		"create_default_queue":   create(raw("Statused", "statused"), `{}`),
		"create_job_with_status": create(raw("Inherited", "exports"), `{"a":1}`),
		"create_denied": create(raw("Denied", "exports", resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) {
			return false, nil
		})), `{}`),
		"create_expiring": create(status.Define[json.RawMessage]("Export", "exports"), `{"mode":"none"}`),
		"enqueue_to": func(ctx context.Context, c *resque.Client) (any, error) {
			return export.EnqueueTo(ctx, c, "slow", text(`{"a":1}`))
		},
		"kill":             func(ctx context.Context, c *resque.Client) (any, error) { return status.Kill(ctx, c, uuid1) },
		"get":              get,
		"json":             get,
		"status_ids":       ids(0, 100),
		"status_ids_range": ids(0, 2),
		"statuses": func(ctx context.Context, c *resque.Client) (any, error) {
			all, _, err := status.List(ctx, c, 0, 2)
			return all, err
		},
		"count": func(ctx context.Context, c *resque.Client) (any, error) {
			_, all, err := status.List(ctx, c, 0, 1)
			return all, err
		},
		"clear": func(ctx context.Context, c *resque.Client) (any, error) {
			return status.Clear(ctx, c, status.States()...)
		},
		"clear_completed": func(ctx context.Context, c *resque.Client) (any, error) {
			return status.Clear(ctx, c, status.Completed)
		},
		"enqueue_at": func(ctx context.Context, c *resque.Client) (any, error) {
			receipt, err := c.EnqueueIn(ctx, time.Minute, export.Job(text(`{"mode":"none"}`)))
			return receipt.State == resque.Scheduled, err
		},
		"scheduler_move":                    move,
		"schedule_custom_job_class":         entry(`{"custom_job_class":"Export","queue":"scoring","args":{"x":1}}`),
		"schedule_custom_job_class_no_args": entry(`{"custom_job_class":"Export","queue":"scoring"}`),
		"dequeue":                           func(ctx context.Context, c *resque.Client) (any, error) { return export.Dequeue(ctx, c, uuid2) },
	}
}

// store stores a persistent entry, which Ruby's recordings pass to the scheduler.
func store(ctx context.Context, c *resque.Client, config string) error {
	conn, err := c.Redis().Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Do("HSET", c.Redis().Key("persistent_schedules"), "entry", config)
	return err
}

// move runs a scheduler until it has moved the delayed job.
func move(ctx context.Context, c *resque.Client) (any, error) {
	s, err := scheduler.New(c, scheduler.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(running) }()
	for look := time.NewTicker(5 * time.Millisecond); ; <-look.C {
		left, err := c.Delayed().Count(ctx, resque.DelayedFilter{All: true})
		if left == 0 || err != nil {
			stop()
			return nil, errors.Join(err, <-ended)
		}
	}
}

func TestStatusDoesWhatThePluginDoes(t *testing.T) {
	t.Parallel()
	recordings := golden.Family(t, "status")
	require.Len(t, recordings, 31)
	differ := differences()
	for _, r := range recordings {
		d := differ[r.Name]
		delete(differ, r.Name)
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) { replay(t, s, r, d) })
		})
	}
	assert.Empty(t, differ, "they name no recording")
}

func replay(t *testing.T, s *redistest.Server, r golden.Recording, d difference) {
	t.Helper()
	c := s.Conn(t)
	golden.Restore(t, c, r.KeysBefore)
	if strings.HasPrefix(r.Name, "perform_") {
		mux := resque.NewMux()
		mux.Handle(status.Define[options]("Export", "exports", status.ExpireIn(-1)).Handler(performed))
		w, err := worker.New(s.Client(t), mux, worker.Config{Queues: []string{"exports"}, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		require.NoError(t, w.WorkOff(t.Context()))
	} else {
		call := calls(t)[r.Name]
		require.NotNil(t, call)
		got, err := call(t.Context(), s.Client(t))
		require.NoError(t, err)
		compare(t, r, got)
	}
	want, got := keysOf(r.KeysAfter), keysOf(golden.Dump(t, c))
	if d.edit != nil {
		assert.NotEqual(t, want, got, "there is no difference any more: %s", d.why)
		d.edit(want)
	}
	assert.Equal(t, want, got)
	if r.Name == "create_expiring" {
		var cursor []any
		cursor, err := redis.Values(c.Do("KEYS", "resque:status:*"))
		require.NoError(t, err)
		left, err := redis.Int(c.Do("TTL", cursor[0]))
		require.NoError(t, err)
		assert.InDelta(t, r.TTLs["resque:status:"+uuid1], left, 120)
	}
}

func keysOf(dump map[string]golden.Value) keys {
	all := keys{}
	for key, v := range dump {
		switch {
		case strings.HasPrefix(key, "resque:worker"), strings.HasSuffix(cleaned(key), "{WORKER}"):
		case strings.HasPrefix(key, "resque:goresque:"), key == "resque:persistent_schedules": // of Go's schedulers
		default:
			all[cleaned(key)] = clean(v.Value)
		}
	}
	return all
}

// compare compares what a call has returned.
func compare(t *testing.T, r golden.Recording, got any) {
	t.Helper()
	switch r.Name {
	case "clear", "clear_completed": // Ruby returns the ids
		var ids []string
		require.NoError(t, json.Unmarshal(r.Returns, &ids))
		assert.EqualValues(t, len(ids), got)
	case "create_denied":
		assert.Empty(t, got)
	case "scheduler_move":
		assert.Nil(t, got)
	case "schedule_custom_job_class", "schedule_custom_job_class_no_args": // Ruby returns the uuid
		assert.Equal(t, true, got)
	case "get":
		assert.JSONEq(t, string(r.Returns), string(got.(status.Status).Raw))
	case "json":
		var text string
		require.NoError(t, json.Unmarshal(r.Returns, &text))
		encoded, err := json.Marshal(got)
		require.NoError(t, err)
		assert.Equal(t, text, string(encoded))
	case "statuses":
		var all []json.RawMessage
		require.NoError(t, json.Unmarshal(r.Returns, &all))
		for i, s := range got.([]status.Status) {
			assert.JSONEq(t, string(all[i]), string(s.Raw))
		}
	default:
		encoded, err := json.Marshal(got)
		require.NoError(t, err)
		assert.JSONEq(t, cleaned(string(r.Returns)), cleaned(string(encoded)))
	}
}

func clean(v any) any {
	switch v := v.(type) {
	case string:
		return cleaned(v)
	case []any:
		all := make([]any, len(v))
		for i, item := range v {
			all[i] = clean(item)
		}
		return all
	default:
		return v
	}
}

var patterns = map[*regexp.Regexp]string{ //nolint:gochecknoglobals // constant
	regexp.MustCompile(`"failed_at":"[^"]*"`):                                              `"failed_at":"{TIME}"`,
	regexp.MustCompile(`"backtrace":\[.*\],"worker":`):                                     `"backtrace":[],"worker":`,
	regexp.MustCompile(`workerhost:4242:\*|\{HOST\}:\{PID\}:exports`):                      `{WORKER}`,
	regexp.MustCompile(`(Completed|Killed) at ([-0-9]+ [0-9:]+ [-+][0-9]+|\{TIME_TO_S\})`): `$1 at {TIME}`,
	regexp.MustCompile(`"time":\d+`):                                                       `"time":0`,
	regexp.MustCompile(`\bdelayed:1[0-9]{9}$`):                                             `delayed:{SECOND}`,
	regexp.MustCompile(`^1[0-9]{9}$`):                                                      `{SECOND}`,
}

var uuid = regexp.MustCompile(`\b[0-9a-f]{32}\b`)

// cleaned replaces what differs between two runs. The uuid of a new job becomes uuid1, as
// in the recordings.
func cleaned(text string) string {
	text = uuid.ReplaceAllStringFunc(text, func(id string) string {
		if id == uuid2 || id == uuid3 {
			return id
		}
		return uuid1
	})
	for pattern, with := range patterns {
		text = pattern.ReplaceAllString(text, with)
	}
	return golden.Clean(text)
}
