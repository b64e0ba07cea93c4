package worker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
)

// noClientList is a store whose Redis refuses CLIENT LIST.
type noClientList struct{ *store.Store }

func (noClientList) Present(context.Context, string) (tokens []string, ok bool, err error) {
	return nil, false, nil
}

func (noClientList) Connected(context.Context, []string) (open map[string][]string, ok bool, err error) {
	return nil, false, nil
}

// If Redis refuses CLIENT LIST, connections are unknown, and Go workers have the prune
// interval, like other workers.
func TestSweepWithoutConnections(t *testing.T) {
	t.Parallel()
	g := dig(t, redistest.Start(t), Config{})
	g.dead.backend = noClientList{g.store}
	g.plant(t, "web~go:1:exports", recorded, 3*time.Minute)
	g.plant(t, "web~go:2:exports", recorded, time.Hour)
	g.watched(t, 3*time.Minute)
	assert.True(t, g.known(t, "web~go:1:exports"), "more than two heartbeats are missing, but not PruneAfter")
	assert.False(t, g.known(t, "web~go:2:exports"), "it was dead for long when the watch began")
	g.watched(t, 2*time.Minute)
	assert.False(t, g.known(t, "web~go:1:exports"))
	assert.Len(t, g.list(t, "failed"), 2)
}

// A starting worker whose id is taken uses another id if it cannot know whether the worker
// that has it is dead. It decides this without clocks and without waiting.
func TestStartWithoutConnections(t *testing.T) {
	t.Parallel()
	for name, silent := range map[string]time.Duration{"heard just now": time.Second, "silent": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := dig(t, redistest.Start(t), Config{})
			g.dead.backend = noClientList{g.store}
			g.plant(t, "web~go:1:exports", recorded, silent)
			alive, err := g.dead.takeOver(t.Context(), "web~go:1:exports", "own")
			require.NoError(t, err)
			assert.True(t, alive, "as far as is known")
			assert.True(t, g.known(t, "web~go:1:exports"))
		})
	}
}

func TestPruneLeavesNoKey(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		g := dig(t, s, Config{})
		const id = "gone:1:exports"
		g.plant(t, id, recorded, time.Hour)
		_, err := g.Do("INCRBY", "resque:stat:failed:"+id, 2)
		require.NoError(t, err)
		_, err = g.Do("HSET", "resque:goresque:intervals", id, "60 90")
		require.NoError(t, err)
		g.watched(t, time.Hour)
		keys, err := g.Do("KEYS", "*")
		require.NoError(t, err)
		assert.Equal(t, []any{[]byte("resque:failed")}, keys)
	})
}
