package store_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

// Worker ids name the queues of their worker, so that a person may name a queue twice. It is
// looked at once, at its first place: its limit and its pause hold, in both scripts.
func TestQueueNamedTwice(t *testing.T) {
	t.Parallel()
	queues := []string{"a", "b", "a", "a"}
	for name, skip := range map[string]bool{"the short script": false, "the long script": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, f fixture) {
				prepare := store.TryUsual
				if skip {
					prepare = store.SkipUsual
				}
				workers := names("w%d", 6)
				f.register(t, workers...)
				f.limit(t, "a", store.Limit{Concurrency: 7})
				f.push(t, "a", "1", "2", "3", "4", "5", "6", "7", "8", "9")
				f.exchangeAgain(t, queues, nil, "unknown") // the store learns of the limit
				prepare(f.Store)
				x := f.exchange(t, queues, nil, f.slots(workers...)...)
				assert.Equal(t, []string{"a1", "a2", "a3", "a4", "a5", "a6"}, payloads(x.Reserved))

				f.limit(t, "a", store.Limit{Concurrency: 2})
				more := names("v%d", 2)
				f.register(t, more...)
				f.push(t, "b", "10", "11")
				var finished []store.Outcome
				for _, r := range x.Reserved[:5] {
					finished = append(finished, doneIn(f, r))
				}
				prepare(f.Store)
				x = f.exchange(t, queues, finished, f.slots(append(workers[:5:5], more...)...)...)
				assert.Equal(t, []string{"a7", "b10", "b11"}, payloads(x.Reserved), "one of six jobs still runs")
				require.Len(t, x.Denied, 1)

				_, err := f.ClearLimit(t.Context(), "a")
				require.NoError(t, err)
				require.NoError(t, f.PauseQueue(t.Context(), "a", true))
				f.push(t, "b", "12")
				prepare(f.Store)
				f.exchange(t, nil, []store.Outcome{doneIn(f, x.Reserved[0]), doneIn(f, x.Reserved[1])})
				x = f.exchange(t, queues, nil, f.slots(x.Reserved[0].Worker, x.Reserved[1].Worker)...)
				assert.Equal(t, []string{"b12"}, payloads(x.Reserved), "a is paused")

				require.NoError(t, f.PauseQueue(t.Context(), "a", false))
				f.push(t, "b", "13")
				prepare(f.Store)
				x = f.exchange(t, queues, nil, f.slots("v0", "v1", "w0", "w1", "w2", "w3", "w4")...)
				assert.Equal(t, []string{"a8", "a9", "b13"}, without(x.Reserved), "in the order of the first places")
			})
		})
	}
}

// without returns the jobs that were not adopted.
func without(reserved []store.Reserved) []string {
	var all []store.Reserved
	for _, r := range reserved {
		if !r.Adopted {
			all = append(all, r)
		}
	}
	return payloads(all)
}
