package store_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
)

const heldKey = "resque:goresque:held:q:"

func (f fixture) limit(t testing.TB, queue string, l store.Limit) {
	t.Helper()
	require.NoError(t, f.SetLimit(t.Context(), queue, l))
}

// exchangeAgain calls Exchange, and again while More is set.
func (f fixture) exchangeAgain(t *testing.T, queues []string, finished []store.Outcome, workers ...string) store.Exchanged {
	t.Helper()
	x := f.exchange(t, queues, finished, f.slots(workers...)...)
	if x.More {
		assert.Empty(t, x.Reserved, "no job is taken before the limits are known")
		x = f.exchange(t, queues, nil, f.slots(workers...)...)
	}
	return x
}

func doneIn(f fixture, r store.Reserved) store.Outcome {
	o := f.done(r)
	o.Queue = r.Queue
	return o
}

func payloads(reserved []store.Reserved) (all []string) {
	for _, r := range reserved {
		all = append(all, r.Queue+string(r.Payload))
	}
	return all
}

func TestConcurrencyLimitOfAQueue(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		workers := names("h~go:1-%d:*", 5)
		f.register(t, workers...)
		f.limit(t, "a", store.Limit{Concurrency: 2})
		f.push(t, "a", "1", "2", "3", "4")
		f.push(t, "b", "5")
		x := f.exchangeAgain(t, []string{"a", "b"}, nil, workers...)
		assert.Equal(t, []string{"a1", "a2", "b5"}, payloads(x.Reserved))
		assert.Equal(t, []store.Denied{{Queue: "a", Wait: -time.Microsecond}}, x.Denied)
		assert.Equal(t, []string{"3", "4"}, f.list(t, "resque:queue:a"), "the others stay in the queue, in order")

		// The end of a job makes room for the next one, in the same call.
		next := f.exchange(t, []string{"a", "b"}, []store.Outcome{doneIn(f, x.Reserved[0]), doneIn(f, x.Reserved[2])}, f.slots(workers...)...)
		assert.Equal(t, []string{"a2", "a3"}, sorted(payloads(next.Reserved)))
		assert.Equal(t, []string{"4"}, f.list(t, "resque:queue:a"))

		// A repeated call changes nothing.
		again := f.exchange(t, []string{"a", "b"}, []store.Outcome{doneIn(f, x.Reserved[0])}, f.slots(workers...)...)
		assert.False(t, again.Finished[0].Ours)
		assert.Len(t, again.Reserved, 2)
		held, err := redis.Int(f.do(t, "HLEN", heldKey+"a"), nil)
		require.NoError(t, err)
		assert.Equal(t, 2, held)
	})
}

func sorted(all []string) []string { slices.Sort(all); return all }

func TestLimitIsObeyedAtTheNextCall(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "h~go:1:*", "h~go:2:*", "h~go:3:*")
		f.push(t, "a", "1", "2", "3", "4")
		first := f.take(t, "h~go:1:*", "a")

		other := fixture{store.New(f.server.Open(t)), f.redis, f.server, f.stamp}
		other.limit(t, "a", store.Limit{Concurrency: 1}) // also counts the job that runs already
		x := f.exchangeAgain(t, []string{"a"}, nil, "h~go:2:*", "h~go:3:*")
		assert.Empty(t, x.Reserved)
		assert.Len(t, x.Denied, 1)

		other.limit(t, "a", store.Limit{Concurrency: 2})
		x = f.exchange(t, []string{"a"}, nil, f.slots("h~go:2:*", "h~go:3:*")...)
		assert.Equal(t, []string{"a2"}, payloads(x.Reserved))

		existed, err := other.ClearLimit(t.Context(), "a")
		require.NoError(t, err)
		assert.True(t, existed)
		x = f.exchange(t, []string{"a"}, nil, f.slot("h~go:3:*"))
		assert.Equal(t, []string{"a3"}, payloads(x.Reserved))
		f.exchange(t, []string{"a"}, []store.Outcome{doneIn(f, first)})
		assert.Zero(t, f.exists(t, heldKey+"a", "resque:goresque:limits"))
		existed, err = other.ClearLimit(t.Context(), "a")
		require.NoError(t, err)
		assert.False(t, existed)
	})
}

func TestPlacesOfALimitAreFreed(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, f fixture, r store.Reserved){
		"done": func(t *testing.T, f fixture, r store.Reserved) {
			t.Helper()
			f.exchange(t, nil, []store.Outcome{doneIn(f, r)})
		},
		"failed": func(t *testing.T, f fixture, r store.Reserved) {
			t.Helper()
			o := f.failed(r, "{}")
			o.Queue = r.Queue
			f.exchange(t, nil, []store.Outcome{o})
		},
		"pruned": func(t *testing.T, f fixture, r store.Reserved) {
			t.Helper()
			beats, _, err := f.Heartbeats(t.Context())
			require.NoError(t, err)
			record, err := f.Record(t.Context(), r.Worker)
			require.NoError(t, err)
			_, _, err = f.Prune(t.Context(), record, beats[r.Worker], store.Outcome{Effects: f.Requeue(r.Queue, r.Payload)})
			require.NoError(t, err)
		},
		"retired": func(t *testing.T, f fixture, r store.Reserved) {
			t.Helper()
			require.NoError(t, f.Retire(t.Context(), []string{r.Worker}))
		},
		"removed by another program": func(t *testing.T, f fixture, r store.Reserved) {
			t.Helper()
			freed, err := f.FreeDead(t.Context(), r.Queue)
			require.NoError(t, err)
			assert.Zero(t, freed, "the job runs")
			f.do(t, "DEL", recordKey(r.Worker))
			f.do(t, "HSET", heldKey+r.Queue, "other", "guard")
			freed, err = f.FreeDead(t.Context(), r.Queue)
			require.NoError(t, err)
			assert.Equal(t, 2, freed)
		},
		"taken over by another job": func(t *testing.T, f fixture, r store.Reserved) {
			t.Helper()
			f.do(t, "SET", recordKey(r.Worker), `{"queue":"b","run_at":"1","payload":{}}`)
			freed, err := f.FreeDead(t.Context(), r.Queue)
			require.NoError(t, err)
			assert.Equal(t, 1, freed)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, f fixture) {
				f.register(t, "h~go:1:*", "h~go:2:*")
				f.limit(t, "a", store.Limit{Concurrency: 1})
				f.push(t, "a", `{"class":"A"}`, `{"class":"B"}`)
				x := f.exchangeAgain(t, []string{"a"}, nil, "h~go:1:*", "h~go:2:*")
				require.Len(t, x.Reserved, 1)
				end(t, f, x.Reserved[0])
				assert.Zero(t, f.exists(t, heldKey+"a"))
				x = f.exchange(t, []string{"a"}, nil, f.slot("h~go:2:*"))
				assert.Len(t, x.Reserved, 1)
			})
		})
	}
}

func TestDamagedLimitsDoNotStopJobs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil []any
		fault string
	}{
		{"the limits", []any{"SET", "resque:goresque:limits", "x"}, "WRONGTYPE"},
		{"a limit", []any{"HSET", "resque:goresque:limits", "a", "x"}, "damaged"},
		{"half a place", []any{"HSET", "resque:goresque:limits", "a", `{"concurrency":2.5}`}, "damaged"},
		{"no number", []any{"HSET", "resque:goresque:limits", "a", `{"rate":"1","per":1000}`}, "damaged"},
		{"an endless burst", []any{"HSET", "resque:goresque:limits", "a", `{"rate":1,"per":1000,"burst":1e999}`}, "damaged"},
		{"the running jobs", []any{"SET", heldKey + "a", "x"}, "WRONGTYPE"},
		{"the state of the rate", []any{"RPUSH", "resque:goresque:rate:q:a", "x"}, "WRONGTYPE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, f fixture) {
				f.register(t, "w", "v")
				f.limit(t, "a", store.Limit{Concurrency: 1, Rate: 1, Per: 1000})
				f.do(t, "DEL", "resque:goresque:limits")
				if !strings.Contains(c.spoil[1].(string), "limits") {
					f.limit(t, "a", store.Limit{Concurrency: 3, Rate: 3, Per: 1000, Burst: 3})
				}
				f.do(t, c.spoil[0].(string), c.spoil[1:]...)
				f.push(t, "a", "1", "2")
				x, err := f.Exchange(t.Context(), []string{"a"}, nil, f.slots("v", "w"))
				require.NoError(t, err)
				if x.More {
					x, err = f.Exchange(t.Context(), []string{"a"}, nil, f.slots("v", "w"))
					require.NoError(t, err)
				}
				assert.Len(t, x.Reserved, 2)
				require.ErrorContains(t, x.Fault, c.fault)
				var outcomes []store.Outcome
				for _, r := range x.Reserved {
					outcomes = append(outcomes, doneIn(f, r))
				}
				got, err := f.Exchange(t.Context(), []string{"a"}, outcomes, f.slots("v", "w"))
				require.NoError(t, err)
				assert.Equal(t, []store.FinishResult{{Ours: true}, {Ours: true}}, got.Finished)
			})
		})
	}
}

func TestLimitsOfManyQueues(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		queues, workers := names("q%d", 200), names("w%d", 60)
		queues[100] = `q"ü`
		f.register(t, workers...)
		for _, i := range []int{3, 100, 150} {
			f.limit(t, queues[i], store.Limit{Concurrency: 1})
		}
		f.limit(t, "another", store.Limit{Concurrency: 1})
		for _, i := range []int{2, 3, 99, 100, 101, 150} {
			f.push(t, queues[i], "1", "2")
		}
		require.NoError(t, f.PauseQueue(t.Context(), queues[99], true))
		x := f.exchangeAgain(t, queues, nil, workers...)
		assert.Equal(t, []string{"q21", "q22", "q31", `q"ü1`, "q1011", "q1012", "q1501"}, payloads(x.Reserved))
		assert.Len(t, x.Denied, 3)
		assert.Equal(t, queues[100], x.Denied[1].Queue)
	})
}

// process is a worker process of the model test below: it has its own store, which may
// know other limits than the others do.
type process struct {
	fixture
	workers []string
	running map[string]store.Reserved
}

// Random calls of several processes with random crashes and changes of the limit: the
// limit holds at each step, the jobs run in order, and at the end no place is held.
func TestLimitHoldsInRandomHistories(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		seed := uint64(time.Now().UnixNano()) //nolint:gosec // any
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test
		var all []*process
		for i := range 3 {
			p := &process{fixture{store.New(f.server.Open(t)), f.redis, f.server, f.stamp}, names(fmt.Sprintf("h~go:%d-%%d:q", i), 4), map[string]store.Reserved{}}
			p.register(t, p.workers...)
			all = append(all, p)
		}
		limit, pushed, begun := int64(0), 0, []string{}
		begin := func(p *process, reserved []store.Reserved) {
			for _, r := range reserved {
				p.running[r.Worker] = r
				if !r.Adopted {
					begun = append(begun, string(r.Payload))
				}
			}
		}
		count := func() (n int64) {
			for _, p := range all {
				n += int64(len(p.running))
			}
			return n
		}
		for range 300 {
			p, before := all[random.IntN(len(all))], count()
			switch random.IntN(8) {
			case 0:
				f.push(t, "q", fmt.Sprintf("%04d", pushed))
				pushed++
			case 1:
				if random.IntN(4) == 0 {
					limit = random.Int64N(5) + 1
					f.limit(t, "q", store.Limit{Concurrency: limit})
				}
			case 2: // another program removes the record of a worker that is dead
				for w := range p.running {
					f.do(t, "DEL", recordKey(w))
					delete(p.running, w)
					_, err := p.FreeDead(t.Context(), "q")
					require.NoError(t, err)
					break
				}
			default:
				var finished []store.Outcome
				free := []string{}
				for _, w := range p.workers {
					r, ok := p.running[w]
					if ok && random.IntN(2) == 0 {
						finished = append(finished, doneIn(f, r))
						delete(p.running, w)
						ok = false
					}
					if !ok && random.IntN(3) > 0 {
						free = append(free, w)
					}
				}
				begin(p, p.exchange(t, []string{"q"}, finished, p.slots(free...)...).Reserved)
				f.push(t, "q", fmt.Sprintf("%04d", pushed))
				pushed++
			}
			now := count()
			if limit > 0 && now > before {
				require.LessOrEqual(t, now, limit)
			}
			if limit > 0 {
				held, err := redis.Int64(f.do(t, "HLEN", heldKey+"q"), nil)
				require.NoError(t, err)
				require.GreaterOrEqual(t, held, now)
			}
		}
		require.IsIncreasing(t, append(begun, "9999"))
		for _, p := range all {
			var finished []store.Outcome
			for _, r := range p.running {
				finished = append(finished, doneIn(f, r))
			}
			p.exchange(t, nil, finished)
		}
		_, err := f.FreeDead(t.Context(), "q")
		require.NoError(t, err)
		assert.Zero(t, f.exists(t, heldKey+"q"))
	})
}

// plainRate is the generic cell rate algorithm as its description says, for one job at a
// time, in whole microseconds.
type plainRate struct{ interval, burst, expected int64 }

func (r *plainRate) start(now int64) (ok bool) {
	if r.expected > now+(r.burst-1)*r.interval {
		return false
	}
	r.expected = max(r.expected, now) + r.interval
	return true
}

func TestRateAgainstAPlainModel(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c, script := s.Conn(t), redis.NewScript(2, store.LimitScript())
		seed := uint64(time.Now().UnixNano()) //nolint:gosec // any
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test
		for i, l := range []store.Limit{
			{Rate: 1, Per: 1000},
			{Rate: 100, Per: 60_000, Burst: 10},
			{Rate: 10_000, Per: 1000, Burst: 100},
			{Rate: 1, Per: 3_600_000, Burst: 3},
			{Rate: 8, Per: 1000, Burst: 2},
			{Rate: 50, Per: 1000},
		} {
			interval := l.Per * 1000 / l.Rate
			model := &plainRate{interval: interval, burst: max(l.Burst, 1)}
			text, err := json.Marshal(l)
			require.NoError(t, err)
			now := int64(1_800_000_000_000_000)
			for range 300 {
				now += random.Int64N(interval * (1 + random.Int64N(4)))
				want := random.Int64N(2*model.burst + 1)
				started := int64(0)
				for started < want && model.start(now) {
					started++
				}
				reply, err := redis.Values(script.Do(c, fmt.Sprint("held", i), fmt.Sprint("rate", i), now, text, want))
				require.NoError(t, err)
				require.Equal(t, started, reply[0], "%+v", l)
				require.Empty(t, reply[2])
				if wait := reply[1].(int64); wait > 0 {
					require.Equal(t, model.expected-(model.burst-1)*interval-now, wait, "%+v", l)
				}
			}
		}
	})
}

// A rate whose interval is not a whole number of microseconds, for an hour of jobs that
// start as soon as they may.
func TestRateOverALongTime(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c, script := s.Conn(t), redis.NewScript(2, store.LimitScript())
		text := `{"rate":7,"per":60000,"burst":1}`
		begin := int64(1_800_000_000_000_000)
		now, started := begin, int64(0)
		for now < begin+3_600_000_000 {
			values, err := redis.Values(script.Do(c, "held", "rate", now, text, 5))
			require.NoError(t, err)
			reply, err := redis.Int64s(values[:2], nil)
			require.NoError(t, err)
			started += reply[0]
			now += max(reply[1], 1)
		}
		assert.Equal(t, int64(420), started)
	})
}

func TestRateLimitOfAQueue(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		workers := names("w%d", 9)
		f.register(t, workers...)
		f.limit(t, "a", store.Limit{Rate: 1, Per: 3_600_000, Burst: 3})
		f.push(t, "a", "1", "2", "3", "4", "5")
		x := f.exchangeAgain(t, []string{"a"}, nil, workers...)
		assert.Equal(t, []string{"a1", "a2", "a3"}, payloads(x.Reserved))
		require.Len(t, x.Denied, 1)
		x = f.exchange(t, []string{"a"}, nil, f.slots(workers[3:]...)...)
		assert.Empty(t, x.Reserved)
		require.Len(t, x.Denied, 1)
		assert.Greater(t, x.Denied[0].Wait, time.Minute)
		assert.LessOrEqual(t, x.Denied[0].Wait, time.Hour)

		states, err := f.Limits(t.Context())
		require.NoError(t, err)
		require.Len(t, states, 1)
		assert.Equal(t, int64(3), states[0].Running)
		assert.Equal(t, int64(2), states[0].Waiting)
		assert.Greater(t, states[0].Next, time.Minute)

		// A limit that is changed applies at once, whatever the old one has used up.
		f.limit(t, "a", store.Limit{Rate: 1_000_000, Per: 1000, Burst: 1_000_000})
		x = f.exchange(t, []string{"a"}, nil, f.slots(workers[3:]...)...)
		assert.LessOrEqual(t, len(x.Reserved), 2)
	})
}

// Without limits, the script runs no more commands than before.
func TestLimitsCostNoCommandWithoutLimits(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.StartReal(t))
	f.register(t, "w")
	f.push(t, "a", "1")
	f.take(t, "w", "a") // loads the script

	f.register(t, "v")
	f.push(t, "a", "1")
	stop := f.server.Monitor(t)
	f.take(t, "v", "a")
	var commands []string
	for _, words := range stop() {
		commands = append(commands, words[0])
	}
	assert.Equal(t, []string{"evalsha", "mget", "exists", "exists", "smismember", "lpop", "set"}, commands)
}
