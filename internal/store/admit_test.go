package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

func TestNeedsAreGivenInOneStep(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w0", "w1", "w2", "w3")
		f.push(t, "q", "1", "2", "3", "4")
		r := f.exchange(t, []string{"q"}, nil, f.slots("w0", "w1", "w2", "w3")...).Reserved
		f.do(t, "SET", "resque:text", "hello")
		f.do(t, "SADD", "resque:set", "x")
		f.do(t, "RPUSH", "resque:list", "x")
		candidate := func(i int, needs ...store.Need) store.Candidate {
			return store.Candidate{Worker: r[i].Worker, Guard: r[i].Guard, Needs: needs}
		}
		lock := store.Lock("resque:lock", "token 1", time.Minute)
		jobs := []store.Candidate{
			candidate(0, store.Read("resque:text"), store.Read("resque:none"), lock, store.Absent("resque:set", "y")),
			candidate(1, store.Lock("resque:lock", "token 2", time.Minute), store.Lock("resque:other", "token 2", time.Minute), store.Read("resque:text")),
			candidate(2, store.Lock("resque:fourth", "token 3", time.Minute), store.Read("resque:list")),
			{Worker: r[3].Worker, Guard: r[0].Guard, Needs: []store.Need{store.Lock("resque:fifth", "token 4", time.Minute)}},
			candidate(3, store.Absent("resque:set", "x")),
		}
		want := []store.Admission{
			{Ours: true, Got: []store.Got{{State: store.NeedMet, Value: "hello"}, {State: store.NeedMet}, {State: store.NeedMet, Value: "token 1"}, {State: store.NeedMet}}},
			{Ours: true, Got: []store.Got{{State: store.NeedRefused, Value: "token 1"}, {State: store.NeedSkipped}, {State: store.NeedSkipped}}},
			{Ours: true},
			{},
			{Ours: true, Got: []store.Got{{State: store.NeedRefused}}},
		}
		for range 2 { // the reply of the first call is lost
			got, err := f.Admit(t.Context(), jobs)
			require.NoError(t, err)
			require.ErrorContains(t, got[2].Err, "WRONGTYPE")
			assert.Regexp(t, "^WRONGTYPE", got[2].Err.Error())
			got[2].Err = nil
			assert.Equal(t, want, got)
		}
		assert.Zero(t, f.exists(t, "resque:other", "resque:fifth"), "skipped, and not ours")

		got, err := f.Look(t.Context(), store.Candidate{Needs: []store.Need{lock, store.Lock("resque:sixth", "x", time.Minute)}})
		require.NoError(t, err)
		assert.Equal(t, []store.Got{{State: store.NeedMet, Value: "token 1"}, {State: store.NeedRefused}}, got)
		assert.Zero(t, f.exists(t, "resque:sixth"), "nothing is taken")
		_, err = f.Look(t.Context(), store.Candidate{Needs: []store.Need{store.Read("resque:list")}})
		require.ErrorContains(t, err, "WRONGTYPE")
	})
}

// A lock is released with the record of its job, and only if it still has its token.
func TestOutcomesReleaseLocks(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w0", "w1", "w2")
		f.push(t, "q", "1", "2", "3")
		r := f.exchange(t, []string{"q"}, nil, f.slots("w0", "w1", "w2")...).Reserved
		f.do(t, "MSET", "resque:a", "mine", "resque:b", "another's")
		f.do(t, "RPUSH", "resque:c", "x")
		outcomes := []store.Outcome{f.done(r[0]), f.done(r[1]), f.done(r[2])}
		for i, key := range []string{"resque:a", "resque:b", "resque:c"} {
			outcomes[i].Effects = append([]store.Effect{store.Release(key, "mine")}, outcomes[i].Effects...)
		}
		x := f.exchange(t, nil, outcomes)
		assert.Equal(t, []store.FinishResult{{Ours: true}, {Ours: true}}, x.Finished[:2])
		require.ErrorContains(t, x.Finished[2].Err, "WRONGTYPE")
		assert.Equal(t, 0, f.exists(t, "resque:a"))
		assert.Equal(t, 1, f.exists(t, "resque:b"))
		assert.Equal(t, 1, f.exists(t, recordKey("w2")), "it is tried again")
		assert.Equal(t, "2", f.get(t, "resque:stat:processed"))
	})
}
