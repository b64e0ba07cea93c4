package resque_test

import (
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// Keys come back from the trash with their texts and their time to live, unless they exist
// again. A key that has changed, or whose queue has jobs again, is not removed.
func TestTrashOfKeys(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c := s.Conn(t)
		do := func(words ...any) any {
			t.Helper()
			reply, err := c.Do(words[0].(string), words[1:]...)
			require.NoError(t, err)
			return reply
		}
		do("SET", "resque:lock:A", "1 2\n3")
		do("SET", "resque:lock:B b", "", "EX", 3600)
		do("SET", "resque:lock:again", "old")
		do("SET", "resque:lock:changed", "new")
		do("SET", "resque:loners:queue:q:job:1", 1)
		do("RPUSH", "resque:queue:q", "job")
		do("RPUSH", "resque:lock:list", "x")
		st, client := store.New(s.Client(t).Redis()), s.Client(t)
		trash := store.Trash{Token: "token:" + store.KeyTrash, Keep: time.Hour}
		n, err := st.RemoveKeys(t.Context(), []store.TextKey{
			{Name: "lock:A", Text: "1 2\n3"},
			{Name: "lock:B b"},
			{Name: "lock:again", Text: "old"},
			{Name: "lock:changed", Text: "old"},
			{Name: "loners:queue:q:job:1", Text: "1", Without: "queue:q"},
			{Name: "lock:list"},
			{Name: "lock:gone", Text: "x"},
		}, trash)
		require.NoError(t, err)
		assert.EqualValues(t, 3, n)
		require.NoError(t, st.NoteTrash(t.Context(), trash, time.Now()))
		assert.EqualValues(t, 0, do("EXISTS", "resque:lock:A", "resque:lock:B b", "resque:lock:again"))
		assert.EqualValues(t, 3, do("EXISTS", "resque:lock:changed", "resque:loners:queue:q:job:1", "resque:lock:list"))

		listed, err := client.Trash(t.Context())
		require.NoError(t, err)
		require.Len(t, listed, 1)
		assert.True(t, listed[0].IsKeys)
		assert.Empty(t, listed[0].List)
		do("SET", "resque:lock:again", "new")
		n, err = client.Restore(t.Context(), trash.Token)
		require.NoError(t, err)
		assert.EqualValues(t, 2, n)
		got, err := redis.Strings(do("MGET", "resque:lock:A", "resque:lock:B b", "resque:lock:again"), nil)
		require.NoError(t, err)
		assert.Equal(t, []string{"1 2\n3", "", "new"}, got)
		assert.Positive(t, do("PTTL", "resque:lock:B b"))
		_, err = client.Restore(t.Context(), trash.Token)
		require.ErrorIs(t, err, resque.ErrNoTrash)
	})
}
