package store_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
)

func TestEvictionPolicy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"default", nil, "noeviction"},
		{"set", []string{"--maxmemory-policy", "allkeys-lru"}, "allkeys-lru"},
		{"CONFIG is missing", []string{"--maxmemory-policy", "volatile-ttl", "--rename-command", "CONFIG", ""}, "volatile-ttl"},
		{"CONFIG and INFO are missing", []string{"--rename-command", "CONFIG", "", "--rename-command", "INFO", ""}, ""},
		{"CONFIG is not allowed", []string{"--maxmemory-policy", "allkeys-lfu", "--user", "default", "on", "nopass", "~*", "&*", "+@all", "-config"}, "allkeys-lfu"},
		{"CONFIG and INFO are not allowed", []string{"--user", "default", "on", "nopass", "~*", "&*", "+@all", "-config", "-info"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t, test.args...)
			policy, known, err := store.New(s.Open(t)).EvictionPolicy(t.Context())
			require.NoError(t, err)
			assert.Equal(t, test.want, policy)
			assert.Equal(t, test.want != "", known)
		})
	}
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		_, known, err := store.New(redistest.StartEmbedded(t).Open(t)).EvictionPolicy(t.Context())
		require.NoError(t, err)
		assert.False(t, known)
	})
	t.Run("not reachable", func(t *testing.T) {
		t.Parallel()
		rdb := redistest.StartEmbedded(t).Open(t)
		require.NoError(t, rdb.Close())
		_, _, err := store.New(rdb).EvictionPolicy(t.Context())
		require.Error(t, err)
	})
}
