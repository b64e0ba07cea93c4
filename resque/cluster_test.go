package resque_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// All of Resque works from any node of the address: scripts, messages about changes, and
// the list of clients that shows which processes are alive.
func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	for _, host := range strings.Split(strings.TrimSuffix(strings.TrimPrefix(cluster.URL, "redis-cluster://"), "/"+redistest.ClusterNamespace), ",") {
		rdb := openAs(t, resque.RedisConfig{URL: "redis-cluster://" + host, Namespace: redistest.ClusterNamespace})
		client, err := resque.New(rdb, resque.Config{})
		require.NoError(t, err)
		s := store.New(rdb)

		w, err := s.NewWatch(t.Context())
		require.NoError(t, err)
		require.NoError(t, w.Arm([]string{"q"}, true))
		_, err = client.Enqueue(t.Context(), resque.Job{Queue: "q", Class: "A"})
		require.NoError(t, err)
		_, err = w.Wait(t.Context())
		require.NoError(t, err)
		w.Close()

		presence, err := s.Announce(t.Context(), "host:1", "token")
		require.NoError(t, err)
		tokens, ok, err := store.New(openAs(t, resque.RedisConfig{URL: cluster.URL})).Present(t.Context(), "host:1")
		require.NoError(t, err)
		assert.True(t, ok)
		assert.Equal(t, []string{"token"}, tokens)
		presence.Close()

		jobs, known, err := client.RemoveQueue(t.Context(), "q")
		require.NoError(t, err)
		assert.True(t, known)
		assert.EqualValues(t, 1, jobs)
	}
}
