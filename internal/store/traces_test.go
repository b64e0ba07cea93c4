package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

func TestPruneLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		f.do(t, "SET", "resque:stat:processed:w", 3)
		f.do(t, "SET", "resque:stat:failed:w", 2)
		beats, _, err := f.Heartbeats(t.Context())
		require.NoError(t, err)
		pruned, _, err := f.Prune(t.Context(), store.Record{Worker: "w"}, beats["w"], store.Outcome{})
		require.NoError(t, err)
		assert.Equal(t, store.PrunedNow, pruned)
		assert.EqualValues(t, 0, f.do(t, "DBSIZE"))
	})
}

func TestTrashExpires(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		trash := func(token string) store.Trash { return store.Trash{Token: token, Keep: time.Hour} }
		f.fill(t, "a", "b")
		_, err := f.ActOnFailed(t.Context(), store.Failed, []store.FailedAct{{Position: 1, Digest: sha("b"), Remove: true}}, false, trash("acted"))
		require.NoError(t, err)
		_, err = f.ClearFailed(t.Context(), store.Failed, trash("cleared"))
		require.NoError(t, err)
		f.push(t, "q", "c", "d")
		_, err = f.RemoveJobs(t.Context(), "q", [][]byte{[]byte("c")}, trash("removed"))
		require.NoError(t, err)
		_, err = f.ClearQueue(t.Context(), "q", trash("queue"))
		require.NoError(t, err)
		for _, token := range []string{"acted", "cleared", "removed", "queue"} {
			left := f.do(t, "PTTL", "resque:goresque:trash:"+token).(int64)
			assert.Positive(t, left, token)
			assert.LessOrEqual(t, left, time.Hour.Milliseconds(), token)
			index := store.Trash{Token: token, Keep: 30 * 24 * time.Hour}
			require.NoError(t, f.NoteTrash(t.Context(), index, time.Now()))
		}
		left := f.do(t, "PTTL", "resque:goresque:trashes").(int64)
		assert.Greater(t, left, (29 * 24 * time.Hour).Milliseconds(), "the index expires no earlier than the trash")
	})
}

func TestTrimTrashKeepsAsManyEntriesAsTheLimit(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		for i, token := range []string{"a", "b", "c"} {
			f.do(t, "RPUSH", "resque:goresque:trash:"+token, "x", "y")
			require.NoError(t, f.NoteTrash(t.Context(), store.Trash{Token: token, Keep: time.Hour}, time.Unix(int64(i), 0)))
		}
		require.NoError(t, f.TrimTrash(t.Context(), 6))
		assert.Equal(t, 3, f.exists(t, "resque:goresque:trash:a", "resque:goresque:trash:b", "resque:goresque:trash:c"))
		require.NoError(t, f.TrimTrash(t.Context(), 5))
		assert.Equal(t, 0, f.exists(t, "resque:goresque:trash:a"))
		assert.Equal(t, 2, f.exists(t, "resque:goresque:trash:b", "resque:goresque:trash:c"))
	})
}

func TestMoveJobsMakesTheQueueKnown(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.push(t, "q", "a", "b", "a")
		moved, err := f.MoveJobs(t.Context(), "q", "new", [][]byte{[]byte("a"), []byte("gone")})
		require.NoError(t, err)
		assert.Equal(t, []bool{true, false}, moved)
		assert.Equal(t, []string{"a"}, f.list(t, "resque:queue:new"))
		assert.Equal(t, []string{"b", "a"}, f.list(t, "resque:queue:q"))
		queues, err := f.Queues(t.Context())
		require.NoError(t, err)
		assert.ElementsMatch(t, []string{"q", "new"}, queues)
	})
}
