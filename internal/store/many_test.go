package store_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

// The order of many queues, of which most are empty, is kept, even if one of them is
// not a list or is paused, or if a name is escaped in JSON.
func TestManyQueuesAreTakenFromInOrder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		before func(t *testing.T, f fixture)
		want   []string
		fault  string
	}{
		{name: "all are lists", want: []string{"a", "b", "c", "d", "e"}},
		{
			name: "one is not a list", want: []string{"a", "b", "c", "d", "e"}, fault: "WRONGTYPE",
			before: func(t *testing.T, f fixture) { t.Helper(); f.do(t, "SET", "resque:queue:q05", "x") },
		},
		{
			name: "one is paused", want: []string{"a", "b", "d", "e"},
			before: func(t *testing.T, f fixture) { t.Helper(); f.do(t, "SET", "resque:pause:queue:q17", "1") },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, f fixture) {
				for _, last := range []string{"q39", `q"39`} {
					queues := append(names("q%02d", 39), last)
					workers := names(last+"w%d", 6)
					f.register(t, workers...)
					f.push(t, last, "d", "e")
					f.push(t, "q17", "c")
					f.push(t, "q03", "a", "b")
					if test.before != nil {
						test.before(t, f)
					}
					var got []string
					for _, slots := range [][]store.Slot{f.slots(workers[:1]...), f.slots(workers[1:]...)} {
						x, err := f.Exchange(t.Context(), queues, nil, slots)
						require.NoError(t, err)
						if test.fault != "" && len(slots) > 1 { // the first call ends at q03
							require.ErrorContains(t, x.Fault, test.fault)
						}
						for _, r := range x.Reserved {
							got = append(got, string(r.Payload))
							assert.Equal(t, string(r.Guard), f.get(t, recordKey(r.Worker))[:len(r.Guard)])
						}
					}
					assert.Equal(t, test.want, got)
					f.do(t, "DEL", "resque:queue:q17", "resque:pause:queue:q17")
				}
			})
		})
	}
}

// One call serves as many slots as a worker has. Redis unpacks about 8,000 values, which are
// those of 4,000 records; miniredis about 5,000.
func TestManySlotsTakeJobsInOneCall(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		workers := names("w%d", 4500)
		f.register(t, workers...)
		words := []any{"resque:queue:q"}
		for i := range workers {
			words = append(words, args(strconv.Itoa(i)))
		}
		f.do(t, "RPUSH", words...)
		var finished []store.Outcome
		x := f.exchange(t, []string{"q"}, nil, f.slots(workers...)...)
		require.Len(t, x.Reserved, len(workers))
		for i, r := range x.Reserved {
			require.Equal(t, args(strconv.Itoa(i)), string(r.Payload))
			require.Equal(t, workers[i], r.Worker)
			finished = append(finished, f.done(r))
		}
		f.do(t, "RPUSH", words[:4201]...)
		x = f.exchange(t, []string{"q"}, finished, f.slots(workers...)...)
		require.Len(t, x.Reserved, 4200)
		assert.Equal(t, "4500", f.get(t, "resque:stat:processed"))
		assert.Zero(t, f.exists(t, "resque:queue:q"))
	})
}
