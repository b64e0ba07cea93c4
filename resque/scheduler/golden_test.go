package scheduler_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// difference is a scenario in which goresque deliberately does something else than
// Ruby's scheduler.
type difference struct {
	why    string
	keys   map[string][]any // what the lists are at the end, besides Ruby's other keys
	queues []any            // the queues, unless they are Ruby's
}

// differences is the one list of deliberate differences. Every other recording of the
// master's poll and of its lock must be matched exactly.
func differences() map[string]difference {
	moved := func(queue, payload string) map[string][]any {
		return map[string][]any{"resque:queue:" + queue: {payload}}
	}
	failed := func(exception, text, queue, payload string) map[string][]any {
		return map[string][]any{"resque:failed": {fmt.Sprintf(
			`{"failed_at":"{FAILED_AT}","payload":%s,"exception":"%s","error":%s,"backtrace":[],"worker":"{HOST}:{PID}:scheduler","queue":"%s"}`,
			payload, exception, strconv.Quote(text), queue)}}
	}
	const bytes, hooks = "the stored bytes are moved, without the member queue", "hooks of the class run when the job is delayed, not when it is moved"
	return map[string]difference{
		"poll_unknown_class_noqueue": {why: "Ruby loses the job", queues: []any{}, keys: failed("Resque::NoQueueError",
			`the delayed job has no queue, and the scheduler does not know the queue of class "Elsewhere::Job"`, "", `{"class":"Elsewhere::Job","args":[1]}`)},
		"poll_bad_json": {why: "Ruby's process ends, at each start", queues: []any{}, keys: failed("Resque::Helpers::DecodeException",
			"the delayed job cannot be read: invalid JSON at byte 1: unexpected 'o', want a string", "", `{"class":"<unreadable>","args":["{oops"]}`)},
		"poll_leading_colons": {why: bytes, keys: moved("deep", `{"class":"::Deep::Job","args":[1]}`)},
		"poll_args_hash":      {why: bytes, keys: moved("mail", `{"class":"Mail","args":{"a":1}}`)},
		"poll_args_null":      {why: bytes, keys: moved("mail", `{"class":"Mail","args":null}`)},
		"poll_args_scalar":    {why: bytes, keys: moved("mail", `{"class":"Mail","args":"x"}`)},
		"poll_args_missing":   {why: bytes, keys: moved("mail", `{"class":"Mail"}`)},
		"poll_extra_members":  {why: bytes, keys: moved("mail", `{"class":"Mail","args":[1],"x":1}`)},
		"poll_reencodes":      {why: bytes, keys: moved("mail", `{"class":"Mail","args":[1.50,1e3,"\u00e9\/\u2028"]}`)},
		"poll_custom_job_class": {
			why: "no class is known to respond to scheduled", queues: []any{"mail"},
			keys: moved("mail", `{"class":"CustomScheduled","args":[1],"custom_job_class":"CustomScheduled"}`),
		},
		"poll_custom_job_class_unknown": {why: bytes, keys: moved("mail", `{"class":"Nowhere","args":[1],"custom_job_class":"Nowhere"}`)},
		"poll_class_scheduled": {
			why: "no class is known to respond to scheduled", queues: []any{"custom"},
			keys: moved("custom", `{"class":"CustomScheduled","args":[1]}`),
		},
		"poll_hooks_schedule_denied": {why: hooks, queues: []any{"hooked"}, keys: moved("hooked", `{"class":"Hooked","args":[1]}`)},
		"poll_hooks_enqueue_denied":  {why: hooks, queues: []any{"hooked"}, keys: moved("hooked", `{"class":"Hooked","args":[1]}`)},
		"poll_hook_raises": {why: hooks, queues: []any{"broken", "mail"}, keys: map[string][]any{
			"resque:queue:mail":   {`{"class":"Mail","args":[1]}`, `{"class":"Mail","args":[3]}`},
			"resque:queue:broken": {`{"class":"Broken","args":[2]}`},
		}},
	}
}

// With redis-rb 5, Ruby queues a job twice if another client writes to its second.
func differencesRedis5() map[string]difference {
	all := differences()
	all["poll_conflict"] = difference{why: "Ruby with redis-rb 5 queues the job twice", keys: map[string][]any{
		"resque:queue:conflict": {`{"class":"Conflict","args":[1]}`},
	}}
	return all
}

func TestSchedulerDoesWhatRubysDoes(t *testing.T) {
	t.Parallel()
	for recording, differ := range map[string]map[string]difference{
		"scheduler-process": differences(), "scheduler-process-redis5": differencesRedis5(),
	} {
		used := map[string]bool{}
		recordings := golden.Family(t, recording)
		require.Len(t, recordings, 46)
		for _, r := range recordings {
			d, differs := differ[r.Name]
			used[r.Name] = differs
			if r.Name == "enqueue_next_item" {
				continue // a button of Ruby's front end, not of the process
			}
			t.Run(recording+"/"+r.Name, func(t *testing.T) {
				t.Parallel()
				both(t, func(t *testing.T, s *redistest.Server, c rdb) { replay(t, s, c, r, d) })
			})
		}
		for name := range differ {
			assert.True(t, used[name], "%s is not in %s", name, recording)
		}
	}
}

func replay(t *testing.T, s *redistest.Server, c rdb, r golden.Recording, d difference) {
	t.Helper()
	cfg, opening := scheduler.Config{Mux: resque.NewMux(), Logger: (&log{}).logger()}, resque.RedisConfig{URL: s.URL}
	cfg.Mux.Handle(resque.Route{Class: "Mail", Queue: "mail", Handler: resque.NewMux()})
	switch r.Name {
	case "lock_prefix_timeout":
		cfg.LockPrefix = "MyApp"
	case "lock_prefix_colon":
		cfg.LockPrefix = "MyApp:"
	case "lock_other_namespace":
		opening.Namespace = "app:jobs"
	}
	rdb, err := resque.Open(opening)
	require.NoError(t, err)
	defer rdb.Close()
	client, err := resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	sched, err := scheduler.New(client, cfg)
	require.NoError(t, err)

	shift := c.now(t).Unix() - r.Now.Unix()
	if r.Name == "poll_not_due" {
		shift += 1000 // a second would pass while the test runs
	}
	text := func(text string) string { return ours(shift, scheduler.Token(sched), text) }
	for key, v := range r.KeysBefore {
		c.restore(t, text(key), v, text)
	}
	want := map[string]golden.Value{}
	for key, v := range r.KeysAfter {
		want[golden.Clean(text(key))] = golden.Value{Type: v.Type, Value: eachText(v.Value, func(s string) string { return golden.Clean(text(s)) })}
	}
	d.apply(want)

	switch {
	case strings.Contains(r.Call, "release"):
		released, err := scheduler.Release(t.Context(), sched)
		require.NoError(t, err)
		assert.JSONEq(t, string(r.Returns), strconv.FormatBool(released))
	default:
		if r.Name == "poll_conflict" {
			second := text("1768480506")
			scheduler.Between(sched, func() {
				c.do(t, "RPUSH", "resque:delayed:"+second, `{"class":"Mail","args":["late"],"queue":"mail"}`)
			})
		}
		for scheduler.Turn(t.Context(), sched) {
		}
	}
	got := golden.Dump(t, c.Conn)
	delete(got, "resque:goresque:scheduler")
	delete(got, "app:jobs:goresque:scheduler")
	if strings.HasPrefix(r.Name, "poll_") {
		delete(got, lock)
	} else if master := false; json.Unmarshal(r.Returns, &master) == nil && strings.Contains(r.Call, "master?") {
		assert.Equal(t, master, sched.State().Master)
	}
	assert.Equal(t, want, got, d.why)
}

// apply changes Ruby's keys to ours.
func (d difference) apply(keys map[string]golden.Value) {
	if d.why == "" {
		return
	}
	for key := range maps.Clone(keys) {
		if strings.HasPrefix(key, "resque:delayed") || strings.HasPrefix(key, "resque:timestamps:") || d.queues != nil && strings.HasPrefix(key, "resque:queue:") {
			delete(keys, key)
		}
	}
	for key, items := range d.keys {
		keys[key] = golden.Value{Type: "list", Value: items}
	}
	if d.queues != nil {
		delete(keys, "resque:queues")
	}
	if len(d.queues) > 0 {
		keys["resque:queues"] = golden.Value{Type: "set", Value: d.queues}
	}
}

// ours is a text of a recording at another time, with the token of our scheduler.
func ours(shift int64, token, text string) string {
	text = strings.ReplaceAll(text, "{{FQDN}}:{{PID}}", token)
	return regexp.MustCompile(`\b1768480\d{3}\b`).ReplaceAllStringFunc(text, func(second string) string {
		n, _ := strconv.ParseInt(second, 10, 64)
		return strconv.FormatInt(n+shift, 10)
	})
}

func eachText(v any, change func(string) string) any {
	switch v := v.(type) {
	case string:
		return change(v)
	case []any:
		changed := make([]any, len(v))
		for i := range v {
			changed[i] = eachText(v[i], change)
		}
		return changed
	default:
		return v
	}
}

// restore writes a recorded key.
func (c rdb) restore(t *testing.T, key string, v golden.Value, text func(string) string) {
	t.Helper()
	switch v.Type {
	case "string":
		c.do(t, "SET", key, text(v.Value.(string)))
	case "hash":
		for field, value := range v.Value.(map[string]any) {
			c.do(t, "HSET", key, field, text(value.(string)))
		}
	case "list", "set":
		command := map[string]string{"list": "RPUSH", "set": "SADD"}[v.Type]
		for _, item := range v.Value.([]any) {
			c.do(t, command, key, text(item.(string)))
		}
	case "zset":
		for _, pair := range v.Value.([]any) {
			c.do(t, "ZADD", key, text(pair.([]any)[1].(string)), text(pair.([]any)[0].(string)))
		}
	default:
		require.Fail(t, "unknown type", v.Type)
	}
}
