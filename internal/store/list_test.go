package store_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

// fillMixed pushes entries of 10 bytes, with one of 1 MB after every third.
func fillMixed(t *testing.T, f fixture, n int) []string {
	t.Helper()
	var all []string
	for i := range n {
		text := fmt.Sprintf("entry %4d", i)
		if i%4 == 3 {
			text += strings.Repeat("x", 1<<20)
		}
		all = append(all, text)
		f.do(t, "RPUSH", "resque:failed", text)
	}
	return all
}

func TestAPartOfAListHasABoundedNumberOfBytes(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		all := fillMixed(t, f, 40)
		for _, backward := range []bool{false, true} {
			at, seen, calls := int64(0), 0, 0
			if backward {
				at = 39
			}
			for seen < len(all) {
				part, err := f.FailedPart(t.Context(), store.Failed, at, 1000, backward)
				require.NoError(t, err)
				require.NotEmpty(t, part)
				bytes := 0
				for _, e := range part {
					require.Equal(t, at, e.Position)
					require.True(t, e.IsWhole())
					require.True(t, all[at] == string(e.Raw), "entry %d", at)
					bytes += len(e.Raw)
					if at++; backward {
						at -= 2
					}
				}
				require.LessOrEqual(t, bytes, 3<<20+100, "2 MB and the last entry")
				seen, calls = seen+len(part), calls+1
			}
			assert.Less(t, calls, 8, "ten entries of 1 MB")
		}
	})
}

func TestAPartOfAListHasTheEntriesAskedFor(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		for i := range 100 {
			f.do(t, "RPUSH", "resque:failed", i)
		}
		read := func(first, count int64, backward bool) string {
			part, err := f.FailedPart(t.Context(), store.Failed, first, count, backward)
			require.NoError(t, err)
			var texts []string
			for _, e := range part {
				require.Equal(t, strconv.FormatInt(e.Position, 10), string(e.Raw))
				texts = append(texts, string(e.Raw))
			}
			if len(texts) > 4 {
				texts = []string{texts[0], "…", texts[len(texts)-1]}
			}
			return strings.Join(texts, " ")
		}
		assert.Equal(t, "0 … 99", read(0, 1000, false))
		assert.Equal(t, "7 8", read(7, 2, false))
		assert.Equal(t, "97 98 99", read(-3, 5, false))
		assert.Empty(t, read(100, 1, false))
		assert.Empty(t, read(0, 0, false))
		assert.Equal(t, "7 6", read(7, 2, true))
		assert.Equal(t, "2 1 0", read(2, 50, true))
		assert.Equal(t, "99 … 0", read(5000, 1000, true), "from the end")
	})
}

// A preview has the beginnings of the entries behind a number of bytes, with the same
// digests as whole ones.
func TestAPreviewHasTheBeginningOfLargeEntries(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		all := fillMixed(t, f, 20)
		list, err := f.FailedPreview(t.Context(), store.Failed, 0, 20, 2<<20+100)
		require.NoError(t, err)
		require.Len(t, list, 20)
		whole := 0
		for i, e := range list {
			require.EqualValues(t, i, e.Position)
			require.EqualValues(t, len(all[i]), e.Size)
			require.Equal(t, store.Digest([]byte(all[i])), e.Digest)
			require.True(t, strings.HasPrefix(all[i], string(e.Raw)))
			if e.IsWhole() && e.Size > 1000 {
				whole++
			}
			require.True(t, e.IsWhole() || len(e.Raw) == 4096)
		}
		assert.Equal(t, 2, whole)
		_, size, err := f.QueuePreview(t.Context(), "none", 0, 20, 0)
		require.NoError(t, err)
		assert.Zero(t, size)
	})
}
