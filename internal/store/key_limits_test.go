package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

func TestPlacesOfAKeyLimit(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w0", "w1", "w2")
		f.push(t, "q", `{"class":"A","args":[0]}`, `{"class":"A","args":[1]}`, `{"class":"A","args":[2]}`)
		r := f.exchange(t, []string{"q"}, nil, f.slots("w0", "w1", "w2")...).Reserved
		require.Len(t, r, 3)
		l := store.KeyLimit{Name: "c:A:1", Limit: store.Limit{Concurrency: 1}}
		hold := func(i int) store.Got {
			t.Helper()
			got, err := f.Admit(t.Context(), []store.Candidate{{Worker: r[i].Worker, Guard: r[i].Guard, Needs: []store.Need{f.Hold(l)}}})
			require.NoError(t, err)
			require.NoError(t, got[0].Err)
			return got[0].Got[0]
		}
		met, refused := store.Got{State: store.NeedMet}, store.Got{State: store.NeedRefused, Value: "-1"}
		assert.Equal(t, met, hold(0))
		assert.Equal(t, met, hold(0), "the reply of the first call was lost")
		assert.Equal(t, refused, hold(1))
		assert.Equal(t, refused, hold(2))

		due := time.Now().Add(time.Hour)
		park := func(i int) store.Outcome {
			return store.Outcome{Worker: r[i].Worker, Queue: "q", Guard: r[i].Guard, Effects: f.Park(l, due, "q", r[i].Payload)}
		}
		f.exchange(t, nil, []store.Outcome{park(1)})
		assert.Equal(t, 1, f.exists(t, "resque:goresque:parked:c:A:1"))
		assert.Empty(t, f.list(t, "resque:queue:q"))

		// The end of the first job returns the limit, so that the parked job can be moved.
		done := f.done(r[0])
		done.Effects = append(done.Effects, f.Free(l, r[0].Worker))
		x := f.exchange(t, nil, []store.Outcome{done})
		assert.Equal(t, []string{"c:A:1"}, x.Unparked)
		moved, err := f.Unpark(t.Context(), "c:A:1")
		require.NoError(t, err)
		assert.True(t, moved)
		assert.Equal(t, []string{`{"class":"A","args":[1]}`}, f.list(t, "resque:queue:q"))
		keys, err := f.redis.Do("KEYS", "*delayed*")
		require.NoError(t, err)
		assert.Empty(t, keys)
		moved, err = f.Unpark(t.Context(), "c:A:1")
		require.NoError(t, err)
		assert.False(t, moved)

		// There is a place now: the job goes back to its queue at once.
		f.exchange(t, nil, []store.Outcome{park(2)})
		assert.Equal(t, []string{`{"class":"A","args":[2]}`, `{"class":"A","args":[1]}`}, f.list(t, "resque:queue:q"))
		assert.Zero(t, f.exists(t, "resque:goresque:parked:c:A:1", "resque:goresque:held:c:A:1", "resque:delayed_queue_schedule"))
	})
}

// The notes of parked jobs that are gone are skipped.
func TestUnparkSkipsJobsThatAreGone(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.do(t, "HSET", "resque:goresque:held:l", "w", "g")
		f.register(t, "w")
		l := store.KeyLimit{Name: "l", Limit: store.Limit{Concurrency: 1}}
		for i, payload := range []string{`{"class":"A","args":["same"]}`, `{"class":"A","args":["same"]}`, `{"class":"A","args":["last"],"x":1}`} {
			f.push(t, "q", payload)
			r := f.take(t, "w", "q")
			due := time.Now().Add(time.Duration(i/2+1) * time.Hour)
			f.exchange(t, nil, []store.Outcome{{Worker: "w", Guard: r.Guard, Effects: f.Park(l, due, "q", r.Payload)}})
		}
		notes := f.list(t, "resque:goresque:parked:l")
		require.Len(t, notes, 3)
		require.NotEqual(t, notes[0], notes[1], "notes of equal jobs differ")
		_, err := f.redis.Do("EVAL", `for _, k in ipairs(redis.call('KEYS', 'resque:delayed:*')) do redis.call('LREM', k, 0, ARGV[1]) end`, 0,
			`{"class":"A","args":["same"],"queue":"q"}`)
		require.NoError(t, err)
		f.do(t, "LPUSH", "resque:goresque:parked:l", "damaged")
		moved, err := f.Unpark(t.Context(), "l")
		require.NoError(t, err)
		assert.True(t, moved)
		assert.Equal(t, []string{`{"class":"A","args":["last"],"x":1}`}, f.list(t, "resque:queue:q"))
		assert.Zero(t, f.exists(t, "resque:goresque:parked:l"))
	})
}

func TestKeyLimitIsPausedAndShown(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w0", "w1")
		f.push(t, "q", "{}", "{}")
		r := f.exchange(t, []string{"q"}, nil, f.slots("w0", "w1")...).Reserved
		l := store.KeyLimit{Name: "c:A", Limit: store.Limit{Concurrency: 2}}
		needs := []store.Need{f.Hold(l)}
		_, err := f.Admit(t.Context(), []store.Candidate{{Worker: "w0", Guard: r[0].Guard, Needs: needs}})
		require.NoError(t, err)
		f.do(t, "HSET", "resque:goresque:held:c:A", "gone", "guard")
		f.exchange(t, nil, []store.Outcome{{Worker: "w1", Guard: r[1].Guard, Effects: []store.Effect{f.PauseLimit("c:A", time.Hour)}}})
		got, err := f.Look(t.Context(), store.Candidate{Worker: "other", Guard: []byte("x"), Needs: []store.Need{f.Hold(l)}})
		require.NoError(t, err)
		assert.Equal(t, store.NeedRefused, got[0].State)
		assert.Len(t, got[0].Value, len("3600000000"))

		all, _, err := f.HeldLimits(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, all, 1)
		assert.Equal(t, "c:A", all[0].Name)
		assert.ElementsMatch(t, []store.HeldPlace{{Worker: "w0"}, {Worker: "gone", Dead: true}}, all[0].Held)
		assert.Greater(t, all[0].Paused, time.Minute)
		freed, err := f.FreeDeadHeld(t.Context(), "c:A")
		require.NoError(t, err)
		assert.Equal(t, 1, freed)

		f.do(t, "DEL", "resque:goresque:held:c:A")
		f.do(t, "SET", "resque:goresque:held:c:A", "x")
		_, err = f.Look(t.Context(), store.Candidate{Worker: "other", Guard: []byte("x"), Needs: []store.Need{f.Hold(l)}})
		require.ErrorContains(t, err, "WRONGTYPE")
	})
}
