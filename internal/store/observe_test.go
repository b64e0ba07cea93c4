package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
)

const intervalsKey = "resque:goresque:intervals"

func TestWorkersPublishIntervals(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		for _, i := range []struct {
			intervals store.Intervals
			text      string
		}{
			{store.Intervals{Heartbeat: 10 * time.Second, Prune: 30 * time.Second}, "10 30"},
			{store.Intervals{Heartbeat: 50 * time.Millisecond, Prune: 90 * time.Minute}, "0.05 5400"},
			{store.Intervals{Heartbeat: time.Minute, Prune: time.Hour}, "60 3600"},
			{store.Intervals{Heartbeat: time.Minute, Prune: 5 * time.Minute, Excluded: "!a b,!c"}, "60 300 !a b,!c"},
		} {
			f.register(t, "v", "w")
			require.NoError(t, f.Beat(t.Context(), []string{"v"}, store.DefaultIntervals()))
			require.NoError(t, f.Beat(t.Context(), []string{"w"}, i.intervals))
			assert.Equal(t, map[string]any{"w": i.text}, golden.Dump(t, f.redis)[intervalsKey].Value)
			o, err := f.Observe(t.Context())
			require.NoError(t, err)
			assert.Equal(t, map[string]store.Intervals{"w": i.intervals}, o.Intervals)
			assert.Len(t, o.Beats, 2)
			assert.Empty(t, o.Leftover)

			require.NoError(t, f.Retire(t.Context(), []string{"v", "w"}))
			assert.Zero(t, f.exists(t, intervalsKey), "they are removed with the registration")
		}
	})
}

// A worker that is killed right after its registration is pruned in its own intervals.
func TestRegistrationPublishesIntervals(t *testing.T) {
	t.Parallel()
	intervals := store.Intervals{Heartbeat: 10 * time.Second, Prune: 30 * time.Second}
	both(t, func(t *testing.T, f fixture) {
		_, err := f.Register(t.Context(), []string{"v"}, time.Now(), store.DefaultIntervals(), false)
		require.NoError(t, err)
		assert.Zero(t, f.exists(t, intervalsKey))
		for _, force := range []bool{false, true} {
			_, err = f.Register(t.Context(), []string{"w"}, time.Now(), intervals, force)
			require.NoError(t, err)
			assert.Equal(t, map[string]any{"w": "10 30"}, golden.Dump(t, f.redis)[intervalsKey].Value)
			f.do(t, "DEL", intervalsKey)
		}
		_, err = f.Register(t.Context(), []string{"w"}, time.Now(), intervals, false)
		require.NoError(t, err)
		assert.Zero(t, f.exists(t, intervalsKey), "another process has the id")
		f.do(t, "SET", intervalsKey, "not a hash")
		taken, err := f.Register(t.Context(), []string{"x"}, time.Now(), intervals, false)
		require.NoError(t, err)
		assert.Equal(t, []bool{true}, taken)
	})
}

// The key is ours alone. Whatever another program does to it, workers go on as if there
// were none.
func TestDamagedIntervalsAreIgnored(t *testing.T) {
	t.Parallel()
	intervals := store.Intervals{Heartbeat: time.Second, Prune: 3 * time.Second}
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		for _, text := range []string{"", "10", "x y", "10 x", "-1 5", "0 5", "5 NaN", "Inf 5", "1e300 1e300", "10 30 50"} {
			f.do(t, "HSET", intervalsKey, "w", text)
			o, err := f.Observe(t.Context())
			require.NoError(t, err, text)
			assert.Empty(t, o.Intervals, text)
		}
		f.do(t, "SET", intervalsKey, "not a hash")
		o, err := f.Observe(t.Context())
		require.NoError(t, err)
		assert.Len(t, o.Beats, 1)
		require.NoError(t, f.Beat(t.Context(), []string{"w"}, intervals))
		done, _, err := f.Prune(t.Context(), store.Record{Worker: "w"}, f.beat(t, "w"), store.Outcome{})
		require.NoError(t, err)
		assert.Equal(t, store.PrunedNow, done)
		f.register(t, "w")
		require.NoError(t, f.Retire(t.Context(), []string{"w"}))
		assert.Equal(t, "not a hash", f.get(t, intervalsKey))
	})
}

func (f fixture) beat(t *testing.T, id string) string {
	t.Helper()
	o, err := f.Observe(t.Context())
	require.NoError(t, err)
	return o.Beats[id]
}

// Ruby's workers unregister a Go worker without removing its intervals.
func TestObserveFindsLeftoverIntervals(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		require.NoError(t, f.Beat(t.Context(), []string{"w"}, store.Intervals{Heartbeat: time.Second, Prune: time.Minute}))
		f.do(t, "HSET", intervalsKey, "gone", "1 60")
		o, err := f.Observe(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"gone"}, o.Leftover)
		assert.Len(t, o.Intervals, 1)
		require.NoError(t, f.ForgetIntervals(t.Context(), o.Leftover))
		assert.Equal(t, map[string]any{"w": "1 60"}, golden.Dump(t, f.redis)[intervalsKey].Value)
	})
}

// One call finds the connections of all processes, also of those whose names Redis does
// not allow.
func TestConnectedFindsAllProcesses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.StartReal(t))
	for _, process := range []string{"a~go:1", "a~go:12", "wéb~go:1"} {
		presence, err := f.Announce(t.Context(), process, "TOKEN"+process[len(process)-1:])
		require.NoError(t, err)
		t.Cleanup(presence.Close)
	}
	open, ok, err := f.Connected(t.Context(), []string{"a~go:1", "a~go:12", "a~go:2", "wéb~go:1"})
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, map[string][]string{"a~go:1": {"TOKEN1"}, "a~go:12": {"TOKEN2"}, "a~go:2": nil, "wéb~go:1": {"TOKEN1"}}, open)

	f.do(t, "ACL", "SETUSER", "default", "-client|list")
	_, ok, err = f.Connected(t.Context(), []string{"a~go:1"})
	require.NoError(t, err)
	assert.False(t, ok, "unknown")
}

// A Redis that refuses for a while is not one that never lists its connections.
func TestConnectedReportsPassingRefusals(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t, "--maxclients", "1")
	_, err := s.Conn(t).Do("PING") // it is there
	require.NoError(t, err)
	_, _, err = store.New(s.Open(t)).Connected(t.Context(), []string{"a~go:1"})
	require.ErrorContains(t, err, "max number of clients")
}
