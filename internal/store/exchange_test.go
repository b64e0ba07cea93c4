package store_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

func TestReserveWritesTheRecord(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		f.push(t, "low", `{"class":"A","args":[1]}`)
		f.push(t, "high", `{"class":"B","args":[2]}`, `{"class":"C","args":[3]}`)
		slot := f.slot("w")
		x := f.exchange(t, []string{"empty", "high", "low"}, nil, slot)
		guard := `{"queue":"high","run_at":"` + slot.RunAt + `",`
		assert.Equal(t, []store.Reserved{{Worker: "w", Queue: "high", Payload: []byte(`{"class":"B","args":[2]}`), Guard: []byte(guard)}}, x.Reserved)
		assert.Equal(t, guard+`"payload":{"class":"B","args":[2]}}`, f.get(t, recordKey("w")))
		assert.Equal(t, []string{`{"class":"C","args":[3]}`}, f.list(t, "resque:queue:high"))
		assert.Empty(t, x.Finished)
		assert.False(t, x.Paused)

		again := f.exchange(t, []string{"empty", "high", "low"}, nil, f.slot("w"))
		x.Reserved[0].Adopted = true
		assert.Equal(t, x.Reserved, again.Reserved, "the same job, and nothing is popped")
		assert.Len(t, f.list(t, "resque:queue:high"), 1)
	})
}

func TestReserveTakesQueuesInOrder(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		workers := names("w%d", 6)
		f.register(t, workers...)
		f.push(t, "c", `{"class":"c1"}`)
		f.push(t, "a", `{"class":"a1"}`, `{"class":"a2"}`)
		f.push(t, "b", `{"class":"b1"}`, `{"class":"b2"}`)
		x := f.exchange(t, []string{"b", "none", "a", "c"}, nil, f.slots(workers...)...)
		var got []string
		for i, r := range x.Reserved {
			assert.Equal(t, workers[i], r.Worker)
			got = append(got, r.Queue+string(r.Payload))
		}
		assert.Equal(t, []string{`b{"class":"b1"}`, `b{"class":"b2"}`, `a{"class":"a1"}`, `a{"class":"a2"}`, `c{"class":"c1"}`}, got)
		assert.Zero(t, f.exists(t, "resque:queue:a", "resque:queue:b", "resque:queue:c", recordKey("w5")))
	})
}

func TestExchangeOfNothing(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		assert.Equal(t, store.Exchanged{}, f.exchange(t, nil, nil))
		assert.Equal(t, store.Exchanged{}, f.exchange(t, nil, nil, f.slot("w")))
		assert.Equal(t, store.Exchanged{}, f.exchange(t, []string{"q"}, nil))
		assert.Equal(t, store.Exchanged{}, f.exchange(t, []string{"q"}, nil, f.slot("w")))
	})
}

func TestFinishHappensOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		f.push(t, "q", `{"class":"A"}`, `{"class":"B"}`)
		done := f.done(f.take(t, "w", "q"))
		x := f.exchange(t, []string{"q"}, []store.Outcome{done}, f.slot("w"))
		assert.Equal(t, []store.FinishResult{{Ours: true}}, x.Finished)
		require.Len(t, x.Reserved, 1, "in the same call")
		assert.JSONEq(t, `{"class":"B"}`, string(x.Reserved[0].Payload))
		assert.False(t, x.Reserved[0].Adopted)

		x = f.exchange(t, []string{"q"}, []store.Outcome{done}, f.slot("w"))
		assert.Equal(t, []store.FinishResult{{Ours: false}}, x.Finished, "the record is of the next job")
		assert.True(t, x.Reserved[0].Adopted)
		assert.Equal(t, "1", f.get(t, "resque:stat:processed"))

		failed := f.failed(x.Reserved[0], `{"error":"x"}`)
		for i, want := range []bool{true, false, false} {
			x = f.exchange(t, nil, []store.Outcome{failed})
			assert.Equal(t, []store.FinishResult{{Ours: want}}, x.Finished, i)
		}
		assert.Equal(t, []string{`{"error":"x"}`}, f.list(t, "resque:failed"))
		for key, want := range map[string]string{
			"resque:stat:processed": "2", "resque:stat:processed:w": "2", "resque:stat:failed": "1", "resque:stat:failed:w": "1",
		} {
			assert.Equal(t, want, f.get(t, key), key)
		}
		assert.Zero(t, f.exists(t, recordKey("w")))
	})
}

func TestFinishLeavesARecordOfAnotherReserve(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		same := `{"class":"A","args":[1]}`
		f.push(t, "q", same, same)
		first := f.take(t, "w", "q")
		f.do(t, "DEL", recordKey("w")) // another process took the worker for dead
		second := f.take(t, "w", "q")
		assert.Equal(t, first.Payload, second.Payload)
		assert.NotEqual(t, first.Guard, second.Guard, "the same bytes, in the same second")

		x := f.exchange(t, nil, []store.Outcome{f.failed(first, "{}"), f.requeue(first)})
		assert.Equal(t, []store.FinishResult{{}, {}}, x.Finished)
		assert.Zero(t, f.exists(t, "resque:failed", "resque:queue:q", "resque:stat:processed"))
		assert.Equal(t, 1, f.exists(t, recordKey("w")))

		x = f.exchange(t, nil, []store.Outcome{{Worker: "none", Effects: f.Processed("none")}})
		assert.Equal(t, []store.FinishResult{{}}, x.Finished, "an empty guard does not match a missing record")
		assert.Zero(t, f.exists(t, "resque:stat:processed"))
	})
}

func TestRequeueAndPutBack(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		f.push(t, "q", "first", "second")
		r := f.take(t, "w", "q")
		f.do(t, "SREM", "resque:queues", "q")
		f.exchange(t, nil, []store.Outcome{f.requeue(r)})
		assert.Equal(t, []string{"first", "second"}, f.list(t, "resque:queue:q"))
		queues, err := f.Queues(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"q"}, queues)
		assert.Zero(t, f.exists(t, "resque:stat:processed", recordKey("w")))

		r = f.take(t, "w", "q")
		f.exchange(t, nil, []store.Outcome{{Worker: "w", Guard: r.Guard, Effects: f.PutBack(r.Queue, r.Payload)}})
		assert.Equal(t, []string{"second", "first"}, f.list(t, "resque:queue:q"))
	})
}

func TestExchangeOfManySlots(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		workers, queues := names("host~go:1-%d:*", 300), names("queue:%d", 200)
		f.register(t, workers...)
		var pushed []string
		for i := range 300 {
			payload := fmt.Sprintf(`{"class":"A","args":[%d]}`, i)
			pushed = append(pushed, payload)
			f.push(t, queues[i*2/3], payload)
		}
		x := f.exchange(t, queues, nil, f.slots(workers...)...)
		var outcomes []store.Outcome
		var got []string
		for i, r := range x.Reserved {
			got = append(got, string(r.Payload))
			if i%3 == 0 {
				outcomes = append(outcomes, f.failed(r, string(r.Payload)))
			} else {
				outcomes = append(outcomes, f.done(r))
			}
		}
		assert.Equal(t, pushed, got)
		f.push(t, queues[199], "last")
		x = f.exchange(t, queues, outcomes, f.slots(workers...)...)
		assert.Equal(t, slices.Repeat([]store.FinishResult{{Ours: true}}, 300), x.Finished)
		assert.Len(t, x.Reserved, 1)
		assert.Equal(t, "300", f.get(t, "resque:stat:processed"))
		assert.Equal(t, "100", f.get(t, "resque:stat:failed"))
		assert.Len(t, f.list(t, "resque:failed"), 100)
	})
}

// A script can unpack some 8,000 values, in the embedded server fewer.
func TestExchangeOfMoreSlotsAndQueuesThanAScriptUnpacks(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		workers, queues := names("w%d", 9000), names("q%d", 9000)
		f.register(t, workers[8999], workers[4999], workers[5000])
		f.do(t, "SET", "resque:pause:queue:q8998", "")
		f.push(t, "q8998", "paused")
		assert.Empty(t, f.exchange(t, queues[:8999], nil, f.slots(workers...)...).Reserved)
		f.push(t, "q8999", "a", "b", "c")
		x := f.exchange(t, queues, nil, f.slots(workers...)...)
		require.Len(t, x.Reserved, 3)
		for i, at := range []int{4999, 5000, 8999} {
			assert.Equal(t, workers[at], x.Reserved[i].Worker)
			assert.Equal(t, "q8999", x.Reserved[i].Queue)
		}
		assert.Len(t, x.Unknown, 8997)
		x = f.exchange(t, queues, nil, f.slots(workers...)...)
		assert.Len(t, x.Reserved, 3, "adopted")
		assert.Equal(t, "c", string(x.Reserved[2].Payload))
	})
}

func TestPausedQueuesAreNotTakenFrom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, key, value string
		paused           bool
		gets             string // the payload, or nothing
	}{
		{"pause-all-workers", "pause-all-workers", "true", true, ""},
		{"pause-all-workers, any case and spaces", "pause-all-workers", " \tTRUE \n", true, ""},
		{"pause-all-workers, not true", "pause-all-workers", "false", false, "a"},
		{"pause-all-workers, almost true", "pause-all-workers", "t r u e", false, "a"},
		{"pause-all-workers, empty", "pause-all-workers", "", false, "a"},
		{"pause:all", "pause:all", "", true, ""},
		{"one queue", "pause:queue:a", "", false, "b"},
		{"one queue, false", "pause:queue:a", "false", false, "b"},
		{"another queue", "pause:queue:c", "true", false, "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, f fixture) {
				f.register(t, "v", "w")
				f.push(t, "a", "z")
				held := f.take(t, "v", "a")
				f.push(t, "a", "a")
				f.push(t, "b", "b")
				f.do(t, "SET", "resque:"+c.key, c.value)
				x := f.exchange(t, []string{"a", "b"}, []store.Outcome{f.done(held)}, f.slot("w"))
				assert.Equal(t, c.paused, x.Paused)
				assert.Equal(t, []store.FinishResult{{Ours: true}}, x.Finished, "jobs are finished during a pause")
				if c.gets == "" {
					assert.Empty(t, x.Reserved)
					return
				}
				require.Len(t, x.Reserved, 1)
				assert.Equal(t, c.gets, string(x.Reserved[0].Payload))
				f.do(t, "SET", "resque:pause-all-workers", "true")
				x = f.exchange(t, []string{"a", "b"}, nil, f.slot("w"))
				require.Len(t, x.Reserved, 1, "a running job is adopted during a pause")
				assert.True(t, x.Reserved[0].Adopted)
			})
		})
	}
}

func TestUnregisteredSlotsGetNoJob(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "known")
		f.push(t, "q", "1", "2")
		x := f.exchange(t, []string{"q"}, nil, f.slots("gone", "known", "never")...)
		assert.Equal(t, []string{"gone", "never"}, x.Unknown)
		require.Len(t, x.Reserved, 1)
		assert.Equal(t, "known", x.Reserved[0].Worker)
		assert.Equal(t, []string{"2"}, f.list(t, "resque:queue:q"))
		assert.Zero(t, f.exists(t, recordKey("gone"), recordKey("never")))
	})
}

func TestQueueNamesMayHaveAnyCharacters(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		for i, name := range []string{
			"", " ", "a:b", `"payload":`, `a"b\c`, "über", "\x00\x01\x7f", "a\nb", "</script>", "*", "{tag}", "日本",
		} {
			worker := fmt.Sprintf("h~go:1-%d:%s", i, name)
			f.register(t, worker)
			f.push(t, name, `{"class":"A","payload":{"payload":1}}`)
			r := f.take(t, worker, "other", name)
			assert.Equal(t, name, r.Queue)
			x := f.exchange(t, nil, nil, f.slot(worker))
			r.Adopted = true
			assert.Equal(t, []store.Reserved{r}, x.Reserved, "%q", name)
			x = f.exchange(t, nil, []store.Outcome{f.requeue(r)})
			assert.Equal(t, []store.FinishResult{{Ours: true}}, x.Finished)
			assert.Equal(t, []string{`{"class":"A","payload":{"payload":1}}`}, f.list(t, "resque:queue:"+name))
		}
		n, err := redis.Int(f.do(t, "SCARD", "resque:queues"), nil)
		require.NoError(t, err)
		assert.EqualValues(t, 12, n)
	})
}
