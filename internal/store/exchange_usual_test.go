package store_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

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
		"nothing":               {},
		"a paused queue":        {{"SET", "resque:pause:queue:q1", "true"}},
		"a pause of all":        {{"SET", "resque:pause-all-workers", "true"}},
		"no pause of all":       {{"SET", "resque:pause-all-workers", "false"}},
		"pause:all":             {{"SET", "resque:pause:all", "1"}},
		"a limit":               {{"HSET", "resque:goresque:limits", "q1", `{"concurrency":2}`}},
		"an unregistered slot":  {{"SREM", "resque:workers", "w3"}},
		"no record":             {{"DEL", recordKey("w2")}},
		"another record":        {{"SET", recordKey("w2"), `{"queue":"q1","run_at":"x","payload":{}}`}},
		"a record of a free":    {{"SET", recordKey("w7"), `{"queue":"q1","run_at":"x","payload":{"class":"A"}}`}},
		"no more jobs":          {{"DEL", "resque:queue:q1", "resque:queue:q2"}},
		"few jobs":              {{"LTRIM", "resque:queue:q1", 0, 1}},
		"a queue of other type": {{"SET", "resque:queue:q0", "x"}},
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
			both(t, func(t *testing.T, usual fixture) {
				server := redistest.Start(t)
				other := newFixture(t, server)
				store.SkipUsual(other.Store)
				workers, queues := names("w%d", 8), []string{"q0", "q1", "q2"}
				for _, f := range []fixture{usual, other} {
					f.register(t, workers...)
					for i := range 30 {
						f.push(t, "q1", args(strconv.Itoa(i)))
						f.push(t, "q2", args(strconv.Itoa(100+i)))
					}
				}
				equal := func(finished []store.Outcome, from int) store.Exchanged {
					t.Helper()
					var got [2]store.Exchanged
					for i, f := range []fixture{usual, other} {
						var err error
						got[i], err = f.Exchange(t.Context(), queues, slices.Clone(outcomesOf(f, finished)), f.slots(workers[from:]...))
						require.NoError(t, err)
					}
					if got[0].Fault != nil && got[1].Fault != nil {
						got[0].Fault, got[1].Fault = nil, nil // servers word errors differently
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
						finished = append(finished, usual.done(r))
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
		})
	}
}

// outcomesOf returns the outcomes as f makes them.
func outcomesOf(f fixture, all []store.Outcome) []store.Outcome {
	made := slices.Clone(all)
	for i := range made {
		made[i].Effects = f.Processed(made[i].Worker)
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

// dump returns the values of all keys.
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
