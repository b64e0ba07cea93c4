package unique_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"regexp"
	"strconv"
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
	"github.com/goresque/goresque/resque/unique"
	"github.com/goresque/goresque/worker"
)

// policies are those of the recorded classes, by plugin.
func policies() map[string]map[string]unique.Policy {
	return map[string]map[string]unique.Policy{
		"lock":  {"Locked": {}},
		"loner": {"Uniq": {Style: unique.Loner}, "UniqTtl": {Style: unique.Loner, For: 40 * time.Second}},
		"lock_timeout": {
			"Locked": {Style: unique.LockTimeout, OnBusy: unique.Drop}, "Loner": {Style: unique.LockTimeoutLoner},
			"Timed":      {Style: unique.LockTimeout, For: time.Minute, OnBusy: unique.Drop},
			"TimedLoner": {Style: unique.LockTimeoutLoner, For: time.Minute},
		},
		"uniqueness": {
			"Uniq": {Style: unique.Uniqueness}, "Both": {Style: unique.Uniqueness, Until: unique.Done},
			"WhileExec": {Style: unique.UniquenessWhile},
		},
	}
}

// keys are the keys of Redis, cleaned, without those of workers and schedulers.
type keys map[string]any

// difference is why goresque deliberately does something else than a recording.
type difference struct {
	why  string
	skip bool            // nothing in goresque corresponds to it
	edit func(want keys) // changes the keys after the recording to those that goresque leaves
}

// differences is the one list of deliberate differences, besides these: all locks expire,
// so that a lock of resque-lock-timeout without a timeout has a second instead of true, and
// the lock of a performed job has the job's token and is not renewed. One that is not needed
// fails.
func differences() map[string]difference {
	without := func(names ...string) func(keys) {
		return func(want keys) {
			for _, name := range names {
				delete(want, "resque:"+name)
			}
		}
	}
	moved := func(class string, lock ...string) func(want keys) {
		return func(want keys) {
			without(append(lock, "delayed_queue_schedule", "resque_uniqueness:queueing:all_locks")...)(want)
			want["resque:queues"] = []any{"work"}
			want["resque:queue:work"] = []any{`{"class":"` + class + `","args":[1]}`}
		}
	}
	const queueing = `resque:queueing:resque_uniqueness:{"class":"Uniq","args":[1]}`
	return map[string]difference{
		"lock enqueue_symbol_args": {why: "arguments are JSON, so there are no symbols", skip: true},
		"lock custom_key":          {why: "the key of a class cannot be replaced: By selects arguments", skip: true},
		"lock enqueue_at": {why: "a delayed job takes the lock", edit: func(want keys) {
			want["resque:lock:Locked-[1]"] = "1768484157"
		}},
		"lock scheduler_move": {why: "a job that Ruby has delayed is moved without a lock", edit: without("lock:Locked-[1]")},
		"lock dequeue":        {why: "a removed job frees its lock", edit: without("lock:Locked-[1]")},

		"lock_timeout timed_perform_overrun": {why: "the lock has expired: Ruby's stays until another job takes it", edit: without("lock:Timed:slow-100")},
		"lock_timeout refresh":               {why: "the lock of a performed job cannot be prolonged: set For", skip: true},
		"lock_timeout scheduler_move_loner":  {why: "the job is moved: Ruby loses it", edit: moved("Loner")},

		"loner perform_ttl":    {why: "no lock stays after a job", edit: without("loners:queue:work:job:154fe7eb6463d664e090249ddac5f567")},
		"loner scheduler_move": {why: "the job is moved without a lock: Ruby's scheduler ends", edit: moved("Uniq", "loners:queue:work:job:4255022d3a0b5453f02e1f8a7ee8bad2")},
		"loner scheduler_move_queued": {
			why:  "the job is moved: Ruby's scheduler ends, and moves it again when it has started",
			edit: without("delayed_queue_schedule"),
		},

		"uniqueness custom": {why: "classes do not share locks", skip: true},
		"uniqueness until_executing_scheduler_move": {why: "the job is moved and keeps its lock: Ruby loses it", edit: func(want keys) {
			text, index := want[queueing], want["resque:resque_uniqueness:queueing:all_locks"]
			moved("Uniq")(want)
			want[queueing], want["resque:resque_uniqueness:queueing:all_locks"] = text, index
		}},
		"uniqueness while_executing_busy": {why: "the job waits as a delayed job, so that no worker takes it again and again", edit: func(want keys) {
			without("queue:work")(want)
			const item, due = `{"class":"WhileExec","args":[1],"queue":"work"}`, "1768480506"
			want["resque:delayed:"+due] = []any{item}
			want["resque:delayed_queue_schedule"] = []any{[]any{due, due}}
			want["resque:timestamps:"+item] = []any{"delayed:" + due}
		}},
	}
}

// scenario is a recording that is replayed.
type scenario struct {
	golden.Recording

	plugin string
	s      *redistest.Server
	mux    *resque.Mux
	while  keys // when a job was performed
}

// calls are what programs in Go do for the recorded calls in Ruby: the texts after the name
// of a call are submatches. Each returns what Ruby's call returns.
func calls() map[*regexp.Regexp]func(t *testing.T, s *scenario, text []string) any {
	one := func(receipt resque.Receipt, err error) func(*testing.T, *scenario) any {
		return func(t *testing.T, s *scenario) any {
			t.Helper()
			require.NoError(t, err)
			switch {
			case receipt.Enqueued(), s.plugin == "loner" && receipt.State == resque.Duplicate: // resque-loner does not say that it refused a job
				return true
			default:
				assert.Equal(t, resque.Duplicate, receipt.State)
				return nil
			}
		}
	}
	counted := func(t *testing.T, n int64, err error) any {
		t.Helper()
		require.NoError(t, err)
		return n
	}
	return map[*regexp.Regexp]func(*testing.T, *scenario, []string) any{
		regexp.MustCompile(`^Resque\.enqueue\((\w+), (.*)\)`): func(t *testing.T, s *scenario, text []string) any {
			return one(s.client(t).Enqueue(t.Context(), s.job(t, text[1], text[2])))(t, s)
		},
		regexp.MustCompile(`^Resque\.enqueue_at\(now \+ (\d+), (\w+), (.*)\)`): func(t *testing.T, s *scenario, text []string) any {
			wait, err := strconv.Atoi(text[1])
			require.NoError(t, err)
			return one(s.client(t).EnqueueIn(t.Context(), time.Duration(wait)*time.Second, s.job(t, text[2], text[3])))(t, s)
		},
		regexp.MustCompile(`^Resque\.enqueued\?\((\w+), (.*)\)`): func(t *testing.T, s *scenario, text []string) any {
			_, ok, err := unique.Holder(t.Context(), s.client(t), s.job(t, text[1], text[2]))
			require.NoError(t, err)
			return ok
		},
		regexp.MustCompile(`^Resque\.push\('work', class: '(\w+)', args: \[(.*)\]\)`): func(t *testing.T, s *scenario, text []string) any {
			require.NoError(t, s.s.Client(t).Push(t.Context(), "work", []byte(`{"class":"`+text[1]+`","args":[`+text[2]+`]}`)))
			return []any{0, 2}
		},
		regexp.MustCompile(`^Resque\.dequeue\((\w+), (.*)\)`): func(t *testing.T, s *scenario, text []string) any {
			n, _, err := s.client(t).Dequeue(t.Context(), s.job(t, text[1], text[2]))
			return counted(t, n, err)
		},
		regexp.MustCompile(`^Resque\.dequeue\((\w+)\)`): func(t *testing.T, s *scenario, text []string) any {
			n, _, err := s.client(t).DequeueClass(t.Context(), s.job(t, text[1], ""))
			return counted(t, n, err)
		},
		regexp.MustCompile(`^Resque\.remove_queue\("work"\)`): func(t *testing.T, s *scenario, _ []string) any {
			n, _, err := s.client(t).RemoveQueue(t.Context(), "work")
			return counted(t, n, err)
		},
		regexp.MustCompile(`^Resque\.remove_delayed\((\w+), (.*)\)`): func(t *testing.T, s *scenario, text []string) any {
			n, err := s.client(t).RemoveDelayed(t.Context(), s.job(t, text[1], text[2]))
			return counted(t, n, err)
		},
		regexp.MustCompile(`^work_one_job`):            performOne,
		regexp.MustCompile(`^job\.fail\(DirtyExit\)`):  crash,
		regexp.MustCompile(`^handle_delayed_items`):    moveDelayed,
		regexp.MustCompile(`^Timed\.refresh_lock!\(1`): nil,
	}
}

// client returns a client that knows the recorded classes.
func (s *scenario) client(t *testing.T) *resque.Client {
	t.Helper()
	return s.s.Client(t).WithJobs(s.mux)
}

func (s *scenario) job(t *testing.T, class, text string) resque.Job {
	t.Helper()
	var args []any
	require.NoError(t, json.Unmarshal([]byte("["+text+"]"), &args))
	for i, arg := range args {
		if n, ok := arg.(float64); ok {
			args[i] = int(n)
		}
	}
	route, ok := s.mux.Route(class)
	require.True(t, ok, class)
	return route.Job(args...).To("work")
}

// performed notes the locks, and does what the recorded jobs do.
func (s *scenario) performed(t *testing.T, job *resque.Payload) error {
	t.Helper()
	c := s.s.Conn(t)
	s.while = state(t, c)
	switch {
	case strings.Contains(string(job.Raw), `"slow"`): // for longer than the lock lives
		_, err := c.Do("PEXPIRE", "resque:lock:Timed:slow-100", 1)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return lockKeys(t, c) == nil }, time.Minute, 10*time.Millisecond)
	case strings.Contains(string(job.Raw), `"fail"`):
		return errBoom
	}
	return nil
}

func performOne(t *testing.T, s *scenario, _ []string) any {
	t.Helper()
	w, err := worker.New(s.client(t), s.mux, worker.Config{Queues: []string{"work"}, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, w.Run(t.Context()))
	return s.Name != "while_executing_busy" // no job was performed
}

// crash prunes the Ruby worker that performs the job.
func crash(t *testing.T, s *scenario, _ []string) any {
	t.Helper()
	const id = "workerhost:4242:*"
	c := s.s.Conn(t)
	for _, command := range [][]any{
		{"LPOP", "resque:queue:work"},
		{"SADD", "resque:workers", id},
		{"SET", "resque:worker:" + id, `{"queue":"work","run_at":"` + time.Now().UTC().Format(time.RFC3339) + `","payload":` + s.Popped(t) + `}`},
	} {
		_, err := c.Do(command[0].(string), command[1:]...)
		require.NoError(t, err)
	}
	_, err := s.client(t).Prune(t.Context(), id, resque.PruneOptions{Handler: s.mux, Force: true})
	require.NoError(t, err)
	_, err = c.Do("DEL", "resque:stat:processed", "resque:stat:failed") // recorded without the worker's end
	require.NoError(t, err)
	return []any{"on_failure_lock"}
}

// moveDelayed runs a scheduler until it has moved the delayed job.
func moveDelayed(t *testing.T, s *scenario, _ []string) any {
	t.Helper()
	mover, err := scheduler.New(s.client(t), scheduler.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mover.Run(ctx) }()
	assert.Eventually(t, func() bool {
		left, err := s.s.Client(t).Delayed().Count(t.Context(), resque.DelayedFilter{All: true})
		return err == nil && left == 0
	}, time.Minute, 5*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
	return nil
}

// What the plugins were recorded to do, goresque does, but for the differences.
func TestLocksDoWhatThePluginsDo(t *testing.T) {
	t.Parallel()
	count, unused := 0, differences()
	for plugin := range policies() {
		for _, r := range golden.Family(t, "lock-"+plugin) {
			name := plugin + " " + r.Name
			d := differences()[name]
			delete(unused, name)
			if count++; d.skip {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				redistest.Both(t, func(t *testing.T, s *redistest.Server) { replay(t, s, plugin, r, d) })
			})
		}
	}
	assert.Equal(t, 57, count)
	assert.Empty(t, unused, "they name no recording")
}

func replay(t *testing.T, server *redistest.Server, plugin string, r golden.Recording, d difference) {
	t.Helper()
	s := &scenario{Recording: r, plugin: plugin, s: server, mux: resque.NewMux(), while: keys{}}
	for class, p := range policies()[plugin] {
		s.mux.HandleFunc(class, func(_ context.Context, job *resque.Payload) error { return s.performed(t, job) }, p) //nolint:contextcheck // of the test
	}
	if r.Name == "none" {
		s.mux.HandleFunc("Off", nothing)
	}
	var returned any
	called := false
	c := server.Conn(t)
	from, until := int64(0), int64(1)
	for again := true; again; again = r.Name == "enqueue_expiry_edge" && from != until { // which is about one second
		_, err := c.Do("FLUSHALL")
		require.NoError(t, err)
		from = clock(t, c)
		golden.Restore(t, c, shifted(t, r.KeysBefore, from-r.Now.Unix()))
		for pattern, call := range calls() {
			if text := pattern.FindStringSubmatch(r.Call); text != nil {
				returned, called = call(t, s, text), true
			}
		}
		until = clock(t, c)
	}
	require.True(t, called, r.Call)
	assert.True(t, string(r.Returns) == encoded(t, returned) || r.Raises != nil, "returned %v instead of %s", returned, r.Returns)

	got, want := state(t, c), expected(r)
	for key := range got {
		if _, had := r.KeysBefore[key]; isLock(key) && (!had || r.KeysBefore[key] != r.KeysAfter[key]) {
			ttl, err := redis.Int64(c.Do("TTL", key))
			require.NoError(t, err)
			assert.Positive(t, ttl, key)
			if r.TTLs[key] > 0 {
				assert.InDelta(t, r.TTLs[key], ttl, float64(clock(t, c)-from+1), key)
			}
		}
	}
	edited := maps.Clone(want)
	if d.edit != nil {
		d.edit(edited)
	}
	whileWanted := keys{}
	for key, value := range r.KeysWhile {
		whileWanted[key] = untilText(value.Value)
	}
	rename := func(all keys) keys {
		return renamed(t, all, encoded(t, []keys{want, edited, whileWanted}), r.Now.Unix(), from, until)
	}
	got = rename(got)
	if d.edit != nil {
		assert.NotEqual(t, want, got, "the difference is gone: %s", d.why)
	}
	assert.Equal(t, edited, got)
	during := rename(s.while)
	maps.DeleteFunc(during, func(key string, _ any) bool {
		return !isLock(key) && key != "resque:resque_uniqueness:performing:all_locks"
	})
	assert.Equal(t, whileWanted, during, "while the job was performed")
}

func isLock(key string) bool {
	return regexp.MustCompile(`^resque:(lock:|loner:lock:|loners:|queueing:|performing:)`).MatchString(key)
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

// shifted returns keys whose seconds are later.
func shifted(t *testing.T, before map[string]golden.Value, by int64) map[string]golden.Value {
	t.Helper()
	text := second.ReplaceAllStringFunc(encoded(t, before), func(s string) string {
		n, err := strconv.ParseInt(s, 10, 64)
		require.NoError(t, err)
		return strconv.FormatInt(n+by, 10)
	})
	var after map[string]golden.Value
	require.NoError(t, json.Unmarshal([]byte(text), &after))
	return after
}

var second = regexp.MustCompile(`\b1[78]\d{8}\b`)

// renamed returns keys with the seconds of wanted that are as long after now, when the
// recording was made, as those of the keys are after the call.
func renamed(t *testing.T, all keys, wanted string, now, from, until int64) keys {
	t.Helper()
	text := second.ReplaceAllStringFunc(encoded(t, all), func(s string) string {
		n, err := strconv.ParseInt(s, 10, 64)
		require.NoError(t, err)
		for _, w := range second.FindAllString(wanted, -1) {
			after, err := strconv.ParseInt(w, 10, 64)
			require.NoError(t, err)
			if after -= now; n >= from+after && n <= until+after {
				return w
			}
		}
		return s
	})
	after := keys{}
	require.NoError(t, json.Unmarshal([]byte(text), &after))
	return after
}

// expected returns the keys after a recording, as goresque writes them.
func expected(r golden.Recording) keys {
	want := keys{}
	for key, v := range r.KeysAfter {
		value := clean(v.Value)
		if isLock(key) && r.KeysBefore[key] != v {
			value = untilText(value)
		}
		want[cleaned(key)] = value
	}
	maps.DeleteFunc(want, func(key string, _ any) bool { return strings.HasSuffix(key, "{WORKER}") })
	return want
}

// untilText is the text of a lock of goresque, which expires.
func untilText(v any) any {
	if v == "true" {
		return "1768484096" // an hour later
	}
	return v
}

// state returns the keys except those of workers and schedulers.
func state(t *testing.T, c redis.Conn) keys {
	t.Helper()
	got := keys{}
	for key, v := range golden.Dump(t, c) {
		if key = cleaned(key); !strings.HasPrefix(key, "resque:worker") && !strings.HasPrefix(key, "resque:goresque:") &&
			!strings.HasSuffix(key, "{WORKER}") {
			got[key] = clean(v.Value)
		}
	}
	return got
}

func clock(t *testing.T, c redis.Conn) int64 {
	t.Helper()
	parts, err := redis.Int64s(c.Do("TIME"))
	require.NoError(t, err)
	return parts[0]
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
	regexp.MustCompile(`^(1[78]\d{8}) .+$`):                              `$1`, // the token in a lock
	regexp.MustCompile(`,"goresque":"[^"]*"\}$`):                         `}`,  // the same
	regexp.MustCompile(`"failed_at":"[^"]*"`):                            `"failed_at":"{TIME}"`,
	regexp.MustCompile(`"backtrace":\[.*\],"worker":`):                   `"backtrace":[],"worker":`,
	regexp.MustCompile(`workerhost:4242:\*|\{HOST\}:\{PID\}:work`):       `{WORKER}`,
	regexp.MustCompile(`"error":"(Job still being processed|killed)"`):   `"error":"killed"`, // the worker was removed by a person
	regexp.MustCompile(`"exception":"\*?errors\.errorString","error":"`): `"exception":"RuntimeError","error":"`,
}

// cleaned replaces what differs between two runs.
func cleaned(text string) string {
	for pattern, with := range patterns {
		text = pattern.ReplaceAllString(text, with)
	}
	return golden.Clean(text)
}
