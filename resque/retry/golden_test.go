package retry_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"regexp"
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
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/worker"
)

// difference is a scenario in which goresque deliberately does something else than
// resque-retry.
type difference struct {
	why   string
	skip  bool              // nothing in goresque corresponds to it
	value map[string]string // other values of keys; "" if the key does not exist
}

// differences is the one list of deliberate differences, besides these: the counters
// expire, failed_at has a zone, and backtraces are Go's.
func differences() map[string]difference {
	return map[string]difference{
		"changed_args": {why: "the arguments of a retry are those of the job: enqueue another job instead", skip: true},
		"delegating":   {why: "another class cannot retry: enqueue its job in OnGiveUp", skip: true},
		"ignoring": {why: "each failed attempt counts: use resque.Snooze for those that do not", value: map[string]string{
			"resque:resque-retry:Ignoring:5a258230180d9c643f761089d7e33b8b52288ed3": "0",
		}},
		"fail_before_perform": {why: "an attempt counts from its end, also if a hook failed before it", value: map[string]string{
			"resque:resque-retry:Delayed:95cb0bfd2977c761298d9624e4b4d4c72a39974a": "0",
		}},
	}
}

// exception is an error with the name of a Ruby exception.
type exception struct{ class, text string }

func (e exception) Error() string         { return e.text }
func (e exception) ExceptionName() string { return e.class }

func named(names ...string) func(error) bool {
	return func(err error) bool {
		var e exception
		return errors.As(err, &e) && slices.Contains(names, e.class)
	}
}

// policies are those of the recorded classes.
func policies() map[string]retry.Policy {
	const last = retry.LastOnly
	ioErrors := named("IOError", "EOFError")
	byException := retry.DelayFunc(func(attempt int, err error) time.Duration {
		if ioErrors(err) {
			return 30 * time.Second
		}
		return []time.Duration{5 * time.Second, 50 * time.Second, 500 * time.Second}[attempt]
	})
	const ten = 10 * time.Second
	return map[string]retry.Policy{
		"Once":        {Record: last},
		"Delayed":     {Record: last, Limit: 3, Delay: retry.After(time.Minute)},
		"Forever":     {Record: last, Limit: retry.Forever, Delay: retry.After(5 * time.Second)},
		"Expo":        {Record: last, Delay: retry.Exponential},
		"ExpoCustom":  {Record: last, Delay: retry.Delays(0, 2*ten, 20*ten)},
		"Expiring":    {Record: last, Limit: 3, Delay: retry.After(time.Minute), ExpireAfter: time.Hour},
		"ByException": {Record: last, Limit: 3, Delay: byException, Only: named("IOError", "EOFError", "ArgumentError")},
		"Fatal":       {Record: last, Never: named("ArgumentError")},
		"OtherQueue":  {Record: last, Queue: "slow", Delay: retry.After(ten)},
		"Ignoring":    {Record: last, Delay: retry.After(ten)},
		"CustomId":    {Record: last, Delay: retry.After(ten), ID: func(*resque.Payload) string { return "id fail" }},
		"Deep::Job":   {Record: last, Delay: retry.After(ten)},
	}
}

func TestRetryDoesWhatThePluginDoes(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	recordings := golden.Family(t, "retry")
	require.Len(t, recordings, 36)
	for _, r := range recordings {
		d, differs := differences()[r.Name]
		used[r.Name] = differs
		if d.skip {
			continue
		}
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) { replay(t, s, r, d) })
		})
	}
	for name := range differences() {
		assert.True(t, used[name], name)
	}
}

func replay(t *testing.T, s *redistest.Server, r golden.Recording, d difference) {
	t.Helper()
	c := s.Conn(t)
	golden.Restore(t, c, r.KeysBefore)
	want := expected(r, d)
	given, err := resque.ParsePayload("work", []byte(r.Popped(t)))
	require.NoError(t, err)
	fails := failureIn(r)
	from := clock(t, c)
	if r.Name == "dirty_exit" {
		crash(t, s, c, string(given.Raw))
	} else {
		work(t, s, r, given.Class, fails)
	}
	until := clock(t, c)
	got := state(t, c)
	renameSeconds(got, want, r.Now.Unix(), from, until)
	assert.Equal(t, want, got)
	for key, ttl := range r.TTLs {
		if ttl <= 0 || r.KeysBefore[key] == r.KeysAfter[key] {
			continue
		}
		left, err := redis.Int(c.Do("TTL", key))
		require.NoError(t, err)
		assert.InDelta(t, ttl, left, float64(clock(t, c)-from+1), key)
	}
}

// work performs one job.
func work(t *testing.T, s *redistest.Server, r golden.Recording, class string, fails error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	mux := resque.NewMux()
	var settings []resque.Setting
	if p, ok := policies()[class]; ok {
		if r.Name == "plain_backend_fail_1" {
			p.Record = retry.EveryAttempt
		}
		settings = append(settings, p)
	}
	if class != "Nowhere" {
		mux.HandleFunc(class, func(context.Context, *resque.Payload) error {
			cancel()
			return fails
		}, settings...)
	}
	w, err := worker.New(s.Client(t), mux, worker.Config{Queues: []string{"work"}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, w.WorkOff(ctx))
}

// crash prunes the Ruby worker that has popped the payload, and has counted the attempt.
func crash(t *testing.T, s *redistest.Server, c redis.Conn, payload string) {
	t.Helper()
	mux := resque.NewMux()
	mux.HandleFunc("Delayed", func(context.Context, *resque.Payload) error { return nil }, policies()["Delayed"])
	const id = "workerhost:4242:*"
	for _, command := range [][]any{
		{"LPOP", "resque:queue:work"},
		{"SADD", "resque:workers", id},
		{"SET", "resque:worker:" + id, `{"queue":"work","run_at":"2026-01-15T12:34:56Z","payload":` + payload + `}`},
	} {
		_, err := c.Do(command[0].(string), command[1:]...)
		require.NoError(t, err)
	}
	pruned, err := s.Client(t).Prune(t.Context(), id, resque.PruneOptions{Handler: mux, Force: true})
	require.NoError(t, err)
	assert.True(t, pruned.Retried)
	assert.WithinDuration(t, time.Now().Add(time.Minute), pruned.Due, time.Minute)
	_, err = c.Do("DEL", "resque:stat:processed", "resque:stat:failed")
	require.NoError(t, err)
}

// failureIn returns the error of the recorded attempt, nil if it succeeded.
func failureIn(r golden.Recording) error {
	if strings.Contains(r.Name, "success") {
		return nil
	}
	class, text := "RuntimeError", "boom"
	for key, v := range r.KeysAfter {
		if !strings.Contains(key, "fail") || strings.Contains(key, "stat") {
			continue
		}
		record, ok := v.Value.(string)
		if list, isList := v.Value.([]any); isList {
			record, ok = list[len(list)-1].(string)
		}
		var f struct{ Exception, Error string }
		if ok && json.Unmarshal([]byte(record), &f) == nil && f.Exception != "" {
			class, text = f.Exception, f.Error
		}
	}
	return exception{class, text}
}

// expected returns the keys after the recorded scenario, as goresque writes them.
func expected(r golden.Recording, d difference) map[string]any {
	want := map[string]any{}
	for key, v := range r.KeysAfter {
		want[cleaned(key)] = clean(v.Value)
	}
	for key, value := range d.value {
		want[key] = value
	}
	delete(want, "resque:stat:processed:{WORKER}")
	delete(want, "resque:stat:failed:{WORKER}")
	if text, ok := want["resque:failed"].([]any); ok && r.Name == "unknown_class" {
		text[0] = strings.Replace(text[0].(string), "uninitialized constant Nowhere", "uninitialized constant Nowhere (no Go handler is registered for this class)", 1)
	}
	if r.Name == "dirty_exit" { // a person removed the worker
		for key, v := range want {
			if text, ok := v.(string); ok {
				want[key] = strings.Replace(text, "killed", "Job still being processed", 1)
			}
		}
	}
	if r.Name == "fail_before_perform" { // recorded without the worker's end
		want["resque:stat:processed"], want["resque:stat:failed"] = "1", "1"
	}
	return want
}

// state returns the keys except those of workers.
func state(t *testing.T, c redis.Conn) map[string]any {
	t.Helper()
	got := map[string]any{}
	for key, v := range golden.Dump(t, c) {
		if key = cleaned(key); !strings.HasPrefix(key, "resque:worker") && !strings.HasSuffix(key, "{WORKER}") {
			got[key] = clean(v.Value)
		}
	}
	return got
}

// renameSeconds gives delayed jobs the seconds that they have in want, if they are due
// as long after the end of the job.
func renameSeconds(got, want map[string]any, now, from, until int64) {
	second := regexp.MustCompile(`^resque:delayed:(\d+)$`)
	for wanted := range want {
		m := second.FindStringSubmatch(wanted)
		if m == nil || got[wanted] != nil {
			continue
		}
		for has := range maps.Clone(got) {
			if h := second.FindStringSubmatch(has); h != nil {
				if after := number(m[1]) - now; number(h[1]) >= from+after && number(h[1]) <= until+after {
					text, _ := json.Marshal(got)
					clear(got)
					_ = json.Unmarshal([]byte(strings.ReplaceAll(string(text), h[1], m[1])), &got)
				}
			}
		}
	}
}

func number(text string) int64 {
	var n int64
	_ = json.Unmarshal([]byte(text), &n)
	return n
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

func cleaned(text string) string {
	for pattern, with := range map[string]string{
		`"failed_at":"[^"]*"`:                      `"failed_at":"{TIME}"`,
		`"backtrace":\[.*\],"worker":`:             `"backtrace":[],"worker":`,
		`workerhost:4242:\*|\{HOST\}:\{PID\}:work`: `{WORKER}`,
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, with)
	}
	return golden.Clean(text)
}
