package store_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
)

// Two stores do the same, one of which runs only exchange.lua: all replies and all keys
// must be equal, whatever happens between the calls.
func TestUsualCallsEndAsOthersDo(t *testing.T) {
	t.Parallel()
	long := args(`"` + strings.Repeat("x", 70_000) + `"`)
	big := [][]any{}
	for i := range 8 {
		big = append(big, []any{"LPUSH", "resque:queue:q1", args(fmt.Sprintf(`"%d%s"`, i, strings.Repeat("x", 30_000)))})
	}
	big = append(big, []any{"LPUSH", "resque:queue:q1", strings.Repeat("{", 60_000)})
	for name, commands := range map[string][][]any{
		"nothing":                          {},
		"a paused queue":                   {{"SET", "resque:pause:queue:q1", "true"}},
		"a pause of all":                   {{"SET", "resque:pause-all-workers", "true"}},
		"no pause of all":                  {{"SET", "resque:pause-all-workers", "false"}},
		"pause:all":                        {{"SET", "resque:pause:all", "1"}},
		"a limit":                          {{"HSET", "resque:goresque:limits", "q1", `{"concurrency":2}`}},
		"an unregistered slot":             {{"SREM", "resque:workers", "w3"}},
		"no record":                        {{"DEL", recordKey("w2")}},
		"another record":                   {{"SET", recordKey("w2"), `{"queue":"q1","run_at":"x","payload":{}}`}},
		"a record of a free":               {{"SET", recordKey("w7"), `{"queue":"q1","run_at":"x","payload":{"class":"A"}}`}},
		"no more jobs":                     {{"DEL", "resque:queue:q1", "resque:queue:q2"}},
		"few jobs":                         {{"LTRIM", "resque:queue:q1", 0, 1}},
		"a queue of other type":            {{"SET", "resque:queue:q0", "x"}},
		"a queue of other type after jobs": {{"LPUSH", "resque:queue:q0", args("7"), args("8")}, {"DEL", "resque:queue:q1"}, {"SET", "resque:queue:q1", "x"}},
		"a pause of other type":            {{"DEL", "resque:pause:all"}, {"RPUSH", "resque:pause:all", "x"}},
		"a queue's pause of other type":    {{"DEL", "resque:pause:queue:q1"}, {"RPUSH", "resque:pause:queue:q1", "x"}},
		"workers of other type":            {{"DEL", "resque:workers"}, {"SET", "resque:workers", "x"}},
		"a record of other type":           {{"DEL", recordKey("w2"), recordKey("w7")}, {"RPUSH", recordKey("w2"), "x"}, {"RPUSH", recordKey("w7"), "x"}},
		"all counters of other type":       {{"DEL", "resque:stat:processed"}, {"RPUSH", "resque:stat:processed", "x"}},
		"hostile payloads": {{
			"LPUSH", "resque:queue:q1", `{"a":1}{"b":2}`, `{}}`, `{`, `{"a":-}`, `{"a":01}`, `{"a":1e5}`, "{}\x00", `{"a":"\ud800"}`, `{"a":` + strings.Repeat("[", 99), `{"a":` + strings.Repeat("[", 98) + strings.Repeat("]", 98) + "}",
			`{"a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + "}", `{"a":NaN}`, `{"a":"\q"}`, `{"payload":1,"queue":"x","run_at":"y"}`, "", `","run_at":"x","payload":{}}`,
		}},
		"a counter of a list": {
			{"DEL", "resque:stat:processed:w1"},
			{"RPUSH", "resque:stat:processed:w1", "x"},
		},
		"a long payload":   {{"LINSERT", "resque:queue:q1", "BEFORE", args("6"), long}},
		"not JSON":         {{"LPUSH", "resque:queue:q1", "{", "\xff", `{"class":"A","args":[01]}`}},
		"other characters": {{"LPUSH", "resque:queue:q1", args(`"é"`), args("1.5"), args("1.")}},
		"many bytes":       big,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compareUsual(t, commands, nil)
		})
	}
}

// Jobs that free what their policies took, and queues with limits, are usual also.
func TestUsualCallsOfPoliciesEndAsOthersDo(t *testing.T) {
	t.Parallel()
	limit := store.KeyLimit{Name: "A", Limit: store.Limit{Concurrency: 5}}
	lock := func(worker string) store.RubyLock {
		return store.RubyLock{Key: "resque:lock:A-" + worker, TTL: time.Hour, Text: "true"}
	}
	effects := func(f fixture, worker string) []store.Effect {
		return []store.Effect{f.ForgetAttempts("A", worker), lock(worker).Freed(0), f.Free(limit, worker)}
	}
	held := [][]any{}
	for i := range 8 {
		w := fmt.Sprintf("w%d", i)
		held = append(held,
			[]any{"SET", "resque:resque-retry:A:" + w, i},
			[]any{"SET", "resque:lock:A-" + w, "true", "PX", 3_600_000},
			[]any{"HSET", "resque:goresque:held:A", w, "x"})
	}
	for name, commands := range map[string][][]any{
		"nothing":             {},
		"all":                 held,
		"no place":            append(slices.Clone(held), []any{"HDEL", "resque:goresque:held:A", "w2", "w3"}),
		"parked jobs":         append(slices.Clone(held), []any{"RPUSH", "resque:goresque:parked:A", "x"}),
		"parked is a string":  append(slices.Clone(held), []any{"SET", "resque:goresque:parked:A", "x"}),
		"held is a string":    {{"SET", "resque:goresque:held:A", "x"}},
		"a lock of a list":    append(slices.Clone(held), []any{"DEL", "resque:lock:A-w2"}, []any{"RPUSH", "resque:lock:A-w2", "x"}),
		"a counter of a list": append(slices.Clone(held), []any{"DEL", "resque:resque-retry:A:w2"}, []any{"RPUSH", "resque:resque-retry:A:w2", "x"}),
		"no record":           append(slices.Clone(held), []any{"DEL", recordKey("w3")}),
		"no more jobs":        append(slices.Clone(held), []any{"DEL", "resque:queue:q1", "resque:queue:q2"}),
		"not JSON":            append(slices.Clone(held), []any{"LPUSH", "resque:queue:q1", "{"}),
		"a long payload":      append(slices.Clone(held), []any{"LPUSH", "resque:queue:q1", args(`"` + strings.Repeat("x", 70_000) + `"`)}),
		"a limit":             {{"HSET", "resque:goresque:limits", "q1", `{"concurrency":20}`}},
		"two limits": {
			{"HSET", "resque:goresque:limits", "q1", `{"concurrency":20}`, "q2", `{"concurrency":9}`},
			{"LTRIM", "resque:queue:q1", 0, 3},
		},
		"a limit of another queue":   {{"HSET", "resque:goresque:limits", "other", `{"concurrency":20}`}},
		"a small limit":              {{"HSET", "resque:goresque:limits", "q1", `{"concurrency":3}`}},
		"a damaged limit":            {{"HSET", "resque:goresque:limits", "q1", `{"concurrency":"x"}`}},
		"limits are a string":        {{"DEL", "resque:goresque:limits"}, {"SET", "resque:goresque:limits", "x"}},
		"a limit of a set":           {{"HSET", "resque:goresque:limits", "q1", `{"concurrency":20}`}, {"SADD", "resque:goresque:held:q:q1", "x"}},
		"a rate of a set":            {{"HSET", "resque:goresque:limits", "q1", `{"rate":1,"per":1,"burst":90}`}, {"DEL", "resque:goresque:rate:q:q1"}, {"SADD", "resque:goresque:rate:q:q1", "x"}},
		"a limit and a paused queue": {{"HSET", "resque:goresque:limits", "q1", `{"concurrency":20}`}, {"SET", "resque:pause:queue:q2", "true"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compareUsual(t, commands, effects)
		})
	}
}

// compareUsual makes the same calls with two stores, of which one runs only exchange.lua. It
// runs commands before each but the first. Jobs end with effects, unless that is nil.
func compareUsual(t *testing.T, commands [][]any, effects func(f fixture, worker string) []store.Effect) {
	t.Helper()
	both(t, func(t *testing.T, usual fixture) {
		server := redistest.Start(t)
		other := newFixture(t, server)
		store.SkipUsual(other.Store)
		workers, queues := names("w%d", 8), []string{"q0", "q1", "q2"}
		for _, f := range []fixture{usual, other} {
			f.register(t, workers...)
			for i := range 40 {
				f.push(t, "q1", args(strconv.Itoa(i)))
				f.push(t, "q2", args(strconv.Itoa(100+i)))
			}
		}
		equal := func(finished []store.Outcome, from int) store.Exchanged {
			t.Helper()
			var got [2]store.Exchanged
			store.TryUsual(usual.Store)
			for i, f := range []fixture{usual, other} {
				var err error
				got[i], err = f.Exchange(t.Context(), queues, outcomesOf(f, finished, effects), f.slots(workers[from:]...))
				require.NoError(t, err)
			}
			if got[0].Fault != nil && got[1].Fault != nil {
				got[0].Fault, got[1].Fault = nil, nil // servers word errors differently
			}
			if got[0].Uncounted != nil && got[1].Uncounted != nil {
				got[0].Uncounted, got[1].Uncounted = nil, nil
			}
			require.Equal(t, got[1], got[0])
			require.Equal(t, dump(t, other), dump(t, usual))
			return got[0]
		}
		x := equal(nil, 2) // w0 and w1 stay free
		require.Len(t, x.Reserved, 6)
		for range 3 {
			var finished []store.Outcome
			for _, r := range x.Reserved {
				o := usual.done(r)
				o.Queue = r.Queue
				finished = append(finished, o)
			}
			free := slices.Clone(workers)
			slices.SortStableFunc(free, func(a, b string) int { return taken(x, b) - taken(x, a) })
			workers = free // those that finish come first
			for _, command := range commands {
				usual.do(t, command[0].(string), command[1:]...)
				other.do(t, command[0].(string), command[1:]...)
			}
			x = equal(finished, 0)
		}
	})
}

// outcomesOf returns the outcomes as f makes them.
func outcomesOf(f fixture, all []store.Outcome, effects func(f fixture, worker string) []store.Effect) []store.Outcome {
	made := slices.Clone(all)
	for i := range made {
		made[i].Effects = f.Processed(made[i].Worker)
		if effects != nil {
			made[i].Effects = slices.Concat(effects(f, made[i].Worker), made[i].Effects)
		}
	}
	return made
}

// taken returns 1 if a worker has taken a job.
func taken(x store.Exchanged, worker string) int {
	if slices.ContainsFunc(x.Reserved, func(r store.Reserved) bool { return r.Worker == worker }) {
		return 1
	}
	return 0
}

// dump returns the values of all keys, without the times of heartbeats.
func dump(t *testing.T, f fixture) map[string]any {
	t.Helper()
	keys, err := redis.Strings(f.do(t, "KEYS", "*"), nil)
	require.NoError(t, err)
	all := map[string]any{}
	for _, key := range keys {
		switch kind := fmt.Sprint(f.do(t, "TYPE", key)); kind {
		case "string":
			all[key] = f.get(t, key)
		case "list":
			all[key] = f.list(t, key)
		case "set":
			members, err := redis.Strings(f.do(t, "SMEMBERS", key), nil)
			require.NoError(t, err)
			slices.Sort(members)
			all[key] = members
		case "hash":
			if key == "resque:workers:heartbeat" {
				continue
			}
			fields, err := redis.StringMap(f.do(t, "HGETALL", key), nil)
			require.NoError(t, err)
			all[key] = fields
		default:
			all[key] = kind
		}
	}
	return all
}

// A call that is not as usual takes two round trips, but not the calls after it.
func TestUnusualCallsAreNotTriedAgainAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.StartReal(t))
	f.register(t, "w")
	f.do(t, "SET", "resque:pause:queue:q", "true")
	f.push(t, "q", args("1"))
	for range 2 { // loads both scripts
		f.exchange(t, []string{"q"}, nil, f.slot("w"))
	}
	stop := f.server.Monitor(t)
	for range 40 {
		f.exchange(t, []string{"q"}, nil, f.slot("w"))
	}
	calls := 0
	for _, words := range stop() {
		if words[0] == "evalsha" {
			calls++
		}
	}
	assert.InDelta(t, 41.5, calls, 0.5)
}

// The jobs of classes with policies, and of queues with limits, take one call also.
func TestUsualCallsOfPoliciesAreShort(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.StartReal(t))
	f.register(t, "w")
	f.limit(t, "q", store.Limit{Concurrency: 9, Rate: 1000, Per: 1000, Burst: 1000})
	f.push(t, "q", names(`{"class":"A","args":[%d]}`, 12)...)
	f.exchange(t, []string{"q"}, nil, f.slot("unknown")) // the store learns of the limit
	store.TryUsual(f.Store)
	x := f.exchange(t, []string{"q"}, nil, f.slot("w")) // loads the script
	stop := f.server.Monitor(t)
	for range 10 {
		o := f.done(x.Reserved[0])
		o.Queue = "q"
		o.Effects = slices.Concat([]store.Effect{
			f.ForgetAttempts("A", "1"),
			store.RubyLock{Key: "resque:lock:A-1", TTL: time.Hour, Text: "true"}.Freed(0),
			f.Free(store.KeyLimit{Name: "A"}, "w"),
		}, o.Effects)
		x = f.exchange(t, []string{"q"}, []store.Outcome{o}, f.slot("w"))
		require.Len(t, x.Reserved, 1)
	}
	calls := 0
	for _, words := range stop() {
		if words[0] == "evalsha" {
			calls++
		}
	}
	assert.Equal(t, 10, calls)
}

// If Redis refuses to delete the records of jobs, they have not ended.
func TestUsualCallsThatMayNotDelete(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.StartReal(t))
	workers := names("w%d", 3)
	f.register(t, workers...)
	f.push(t, "q", args("1"), args("2"), args("3"), args("4"))
	var finished []store.Outcome
	for _, r := range f.exchange(t, []string{"q"}, nil, f.slots(workers...)...).Reserved {
		finished = append(finished, f.done(r))
	}
	f.do(t, "ACL", "SETUSER", "default", "-del")
	x, err := f.Exchange(t.Context(), []string{"q"}, finished, f.slots(workers...))
	require.NoError(t, err)
	require.Len(t, x.Reserved, 1)
	assert.Equal(t, store.FinishResult{Ours: true}, x.Finished[0])
	for i := 1; i < 3; i++ {
		require.Error(t, x.Finished[i].Err)
		assert.Equal(t, 1, f.exists(t, recordKey(workers[i])))
	}
	assert.Equal(t, "1", f.get(t, "resque:stat:processed"))

	f.do(t, "ACL", "SETUSER", "default", "+del")
	x = f.exchange(t, []string{"q"}, finished[1:])
	assert.Equal(t, []store.FinishResult{{Ours: true}, {Ours: true}}, x.Finished)
	assert.Equal(t, 0, f.exists(t, recordKey(workers[1]), recordKey(workers[2])))
	assert.Equal(t, "3", f.get(t, "resque:stat:processed"))
}
