package store_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

func TestTrashesListsTheLatestFirst(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		put := func(token string, entries int, minutes int) {
			for i := range entries {
				f.do(t, "RPUSH", "resque:goresque:trash:"+token, i)
			}
			f.do(t, "PEXPIRE", "resque:goresque:trash:"+token, time.Hour.Milliseconds())
			require.NoError(t, f.NoteTrash(t.Context(), store.Trash{Token: token, Keep: time.Hour}, at.Add(time.Duration(minutes)*time.Minute)))
		}
		tokens := func() []string {
			all, err := f.Trashes(t.Context())
			require.NoError(t, err)
			found := []string{}
			for _, trash := range all {
				found = append(found, trash.Token)
			}
			return found
		}
		assert.Empty(t, tokens())
		put("a:failed", 3, 1)
		put("b:queue:x:y", 2, 3)
		put("c:mail_failed", 1, 2)
		require.NoError(t, f.NoteTrash(t.Context(), store.Trash{Token: "none:failed"}, at), "a trash that is not kept")
		all, err := f.Trashes(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"b:queue:x:y", "c:mail_failed", "a:failed"}, tokens(), "the latest first")
		assert.Equal(t, at.Add(3*time.Minute), all[0].Removed)
		assert.EqualValues(t, 2, all[0].Entries)
		assert.Greater(t, all[0].Left, 59*time.Minute)
		name, isQueue := store.TrashedList(all[0].Token)
		assert.Equal(t, []any{"x:y", true}, []any{name, isQueue})
		name, isQueue = store.TrashedList(all[1].Token)
		assert.Equal(t, []any{"mail_failed", false}, []any{name, isQueue})

		require.NoError(t, f.TrimTrash(t.Context(), 5))
		assert.Equal(t, []string{"b:queue:x:y", "c:mail_failed"}, tokens(), "the oldest is removed")
		require.NoError(t, f.TrimTrash(t.Context(), 0))
		assert.Equal(t, []string{"b:queue:x:y"}, tokens(), "the latest stays")
		require.NoError(t, f.ForgetTrash(t.Context(), "b:queue:x:y"))
		assert.Empty(t, tokens())
		ttl := f.do(t, "PTTL", "resque:goresque:trashes").(int64)
		assert.Negative(t, ttl, "an empty index does not exist")
		for i := range 510 {
			put(strconv.Itoa(i)+":failed", 1, i)
		}
		assert.Len(t, tokens(), 500)
	})
}

func TestRemoveRetriedRemovesUpToTheLimit(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		const mark = `,"retried_at":"2026/01/16 12:00:00 UTC"}`
		records := []string{`{"a":1` + mark, `{"a":2` + mark, `{"a":3}`, `{"a":4` + mark, `{"a":5` + mark, `{"a":6` + mark}
		f.fill(t, records...)
		trash := store.Trash{Token: "t:failed", Keep: time.Minute}
		removed, left, err := f.RemoveRetried(t.Context(), store.Failed, 0, 4, 10, trash)
		require.NoError(t, err)
		assert.Equal(t, []int64{3, 1}, []int64{removed, left})
		assert.Equal(t, []string{records[2], records[4], records[5]}, f.list(t, "resque:failed"))
		removed, left, err = f.RemoveRetried(t.Context(), store.Failed, 1, 100, 1, trash)
		require.NoError(t, err)
		assert.Equal(t, []int64{1, 0}, []int64{removed, left}, "no more than the limit")
		removed, left, err = f.RemoveRetried(t.Context(), store.Failed, 1, 100, 10, store.Trash{})
		require.NoError(t, err)
		assert.Equal(t, []int64{1, 0}, []int64{removed, left})
		assert.Equal(t, []string{records[2]}, f.list(t, "resque:failed"))
		assert.Equal(t, []string{records[0], records[1], records[3], records[4]}, f.list(t, "resque:goresque:trash:t:failed"))
		removed, left, err = f.RemoveRetried(t.Context(), store.Failed, 1, 100, 10, trash)
		require.NoError(t, err)
		assert.Equal(t, []int64{0, 0}, []int64{removed, left}, "the end")
		require.NotEmpty(t, f.list(t, "resque:failed"))
	})
}
