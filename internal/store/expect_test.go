package store_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// attempt returns the outcome of a job whose counter must have a value.
func (f fixture) attempt(r store.Reserved, expected string) store.Outcome {
	o := f.failed(r, "{}")
	keys := f.RetryKeys("J", r.Worker)
	o.Expect = []store.Expectation{{Key: keys.Attempts, Value: expected}}
	o.Effects = append([]store.Effect{keys.SetAttempt(7, 1e9)}, o.Effects...)
	return o
}

// An outcome whose expectation is not met writes nothing, whatever the others do, in each
// form in which outcomes are sent.
func TestOutcomesExpectValues(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		workers := names("w%d", 4)
		f.register(t, workers...)
		f.push(t, "q", "1", "2", "3", "4")
		x := f.exchange(t, []string{"q"}, nil, f.slots(workers...)...)
		r := x.Reserved
		f.do(t, "SET", "resque:resque-retry:J:w1", "3")
		f.do(t, "RPUSH", "resque:resque-retry:J:w2", "not a string")
		outcomes := []store.Outcome{f.attempt(r[0], ""), f.attempt(r[1], ""), f.attempt(r[2], ""), f.done(r[3])}
		x = f.exchange(t, nil, outcomes, f.slots("w2", "w3")...) // not in the order of the slots
		assert.Equal(t, []store.FinishResult{
			{Ours: true},
			{Ours: true, Changed: []store.Value{{Text: "3"}}},
			{Ours: true, Changed: []store.Value{{Other: true}}},
			{Ours: true},
		}, x.Finished)
		assert.Equal(t, "7", f.get(t, "resque:resque-retry:J:w0"))
		assert.Equal(t, "3", f.get(t, "resque:resque-retry:J:w1"))
		assert.Len(t, f.list(t, "resque:failed"), 1)
		assert.Equal(t, "2", f.get(t, "resque:stat:processed"))
		assert.Equal(t, 2, f.exists(t, recordKey("w1"), recordKey("w2")), "the jobs are still there")
		x = f.exchange(t, nil, []store.Outcome{f.attempt(r[1], "3"), f.attempt(r[0], "7")})
		assert.Equal(t, []store.FinishResult{{Ours: true}, {}}, x.Finished, "what is finished expects nothing")
		assert.Equal(t, "7", f.get(t, "resque:resque-retry:J:w1"))
	})
}

func TestOutcomeHasSeveralExpectations(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		f.push(t, "q", "1")
		o := f.done(f.take(t, "w", "q"))
		o.Expect = []store.Expectation{{Key: "resque:a"}, {Key: "resque:b", Value: "1"}, {Key: "resque:c", Value: "x"}}
		long := strings.Repeat("y", 2000)
		f.do(t, "MSET", "resque:b", "1", "resque:c", long)
		x := f.exchange(t, nil, []store.Outcome{o})
		assert.Equal(t, []store.Value{{}, {Text: "1"}, {Text: long[:1024]}}, x.Finished[0].Changed)
		f.do(t, "SET", "resque:c", "x")
		x = f.exchange(t, nil, []store.Outcome{o})
		assert.Equal(t, []store.FinishResult{{Ours: true}}, x.Finished)
	})
}

func TestPruneExpectsValues(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		f.push(t, "q", `{"class":"J","args":[]}`)
		r := f.take(t, "w", "q")
		record, err := f.Record(t.Context(), "w")
		require.NoError(t, err)
		beats, _, err := f.Heartbeats(t.Context())
		require.NoError(t, err)
		f.do(t, "SET", "resque:resque-retry:J:w", "1")
		pruned, reply, err := f.Prune(t.Context(), record, beats["w"], f.attempt(r, ""))
		require.NoError(t, err)
		assert.Equal(t, store.ValueChanged, pruned)
		assert.Equal(t, []store.Value{{Text: "1"}}, reply.Values)
		assert.Equal(t, 1, f.exists(t, recordKey("w")))
		pruned, reply, err = f.Prune(t.Context(), record, beats["w"], f.attempt(r, "1"))
		require.NoError(t, err)
		assert.Equal(t, store.PrunedNow, pruned)
		assert.Empty(t, reply.Values)
		assert.Equal(t, 0, f.exists(t, recordKey("w")))
		assert.Equal(t, "7", f.get(t, "resque:resque-retry:J:w"))
	})
}

// Of jobs that share a counter and end at once, each counts.
func TestEqualJobsEndAtOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		const jobs = 20
		workers := names("w%d", jobs)
		f.register(t, workers...)
		for i := range jobs {
			f.push(t, "q", strconv.Itoa(i))
		}
		x := f.exchange(t, []string{"q"}, nil, f.slots(workers...)...)
		key := f.RetryKeys("J", "")
		seen, left := "", x.Reserved
		for round := range jobs {
			outcomes := make([]store.Outcome, len(left))
			for i, r := range left {
				outcomes[i] = f.done(r)
				outcomes[i].Expect = []store.Expectation{{Key: key.Attempts, Value: seen}}
				outcomes[i].Effects = append([]store.Effect{key.SetAttempt(int64(round), 1e9)}, outcomes[i].Effects...)
			}
			x := f.exchange(t, nil, outcomes)
			for i, result := range x.Finished {
				assert.Equal(t, i > 0, result.Changed != nil, "the first one counts")
			}
			seen, left = strconv.Itoa(round), left[1:]
		}
		assert.Equal(t, "19", f.get(t, key.Attempts))
		assert.Equal(t, "20", f.get(t, "resque:stat:processed"))
	})
}

// What Later writes is what a scheduler moves: the payload comes back byte for byte.
func TestLater(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		const second = 4_000_000_001
		for i, payload := range []string{`{"class":"J","args":[1]}`, `{"args":[],"class":"J","queue":"x","y":1}`} {
			f.push(t, "q", payload)
			r := f.take(t, "w", "q")
			f.exchange(t, nil, []store.Outcome{{Worker: "w", Guard: r.Guard, Effects: f.Later(time.Unix(second, 999), "slow", r.Payload)}})
			items := f.list(t, "resque:delayed:4000000001")
			require.Len(t, items, i+1)
			d, err := wire.ParseDelayed([]byte(items[i]))
			require.NoError(t, err)
			assert.Equal(t, "slow", d.Queue)
			assert.Equal(t, payload, string(d.Job([]byte(items[i]))))
			seconds, err := f.ScheduledAt(t.Context(), []byte(items[i]))
			require.NoError(t, err)
			assert.Equal(t, []int64{second}, seconds)
		}
		assert.Equal(t, `{"class":"J","args":[1],"queue":"slow"}`, f.list(t, "resque:delayed:4000000001")[0])
		scheduled, err := redis.Strings(f.do(t, "ZRANGE", "resque:delayed_queue_schedule", 0, -1, "WITHSCORES"), nil)
		require.NoError(t, err)
		assert.Equal(t, []string{"4000000001", "4000000001"}, scheduled)
		f.push(t, "q", `{"class":"J"}`)
		r := f.take(t, "w", "q")
		f.exchange(t, nil, []store.Outcome{{Worker: "w", Guard: r.Guard, Effects: f.Later(time.Time{}, "new", r.Payload)}})
		assert.Equal(t, []string{`{"class":"J"}`}, f.list(t, "resque:queue:new"))
	})
}

// About asks Redis only if it was not asked a short time ago.
func TestAbout(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.StartReal(t))
	now, err := f.Now(t.Context())
	require.NoError(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel() // nothing is asked with it
	about := f.About(ended)
	assert.WithinDuration(t, now, about, time.Minute)
	assert.False(t, about.Before(now))
	assert.WithinDuration(t, time.Now(), store.New(f.server.Open(t)).About(ended), time.Minute, "nothing is known of Redis's clock")
	assert.WithinDuration(t, now, store.New(f.server.Open(t)).About(t.Context()), time.Minute)
}
