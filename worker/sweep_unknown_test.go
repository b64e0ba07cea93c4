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

// If Redis refuses CLIENT LIST, connections are unknown, and Go workers are judged by their
// heartbeats only, like other workers.
func TestSweepWithoutConnections(t *testing.T) {
	t.Parallel()
	g := dig(t, redistest.Start(t), Config{})
	g.dead.backend = noClientList{g.store}
	g.plant(t, "web~go:1:exports", recorded, 3*time.Minute)
	g.plant(t, "web~go:2:exports", recorded, time.Hour)
	require.NoError(t, g.dead.sweep(t.Context(), nil))
	assert.True(t, g.known(t, "web~go:1:exports"), "more than two heartbeats are missing, but not PruneAfter")
	assert.False(t, g.known(t, "web~go:2:exports"))
	assert.Len(t, g.list(t, "failed"), 1)
}

// The same is true for a worker whose id a starting worker wants.
func TestStartWithoutConnections(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		silent time.Duration
		alive  bool
	}{"heard just now": {time.Second, true}, "silent": {time.Hour, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := dig(t, redistest.Start(t), Config{})
			g.dead.backend = noClientList{g.store}
			g.plant(t, "web~go:1:exports", recorded, test.silent)
			alive, err := g.dead.takeOver(t.Context(), "web~go:1:exports", true)
			require.NoError(t, err)
			assert.Equal(t, test.alive, alive)
			assert.Equal(t, test.alive, g.known(t, "web~go:1:exports"))
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
		require.NoError(t, g.dead.sweep(t.Context(), nil))
		keys, err := g.Do("KEYS", "*")
		require.NoError(t, err)
		assert.Equal(t, []any{[]byte("resque:failed")}, keys)
	})
}
