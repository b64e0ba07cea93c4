package store_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

func TestScriptAndDigestAgreeOnRecordsOfAnySize(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		for _, n := range []int{0, 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3 << 20} {
			record := bytes.Repeat([]byte("goresque"), n/8+1)[:n]
			f.do(t, "RPUSH", "resque:failed", record)
			acts := []store.FailedAct{{Digest: store.Digest(record), Remove: true}}
			acted, err := f.ActOnFailed(t.Context(), store.Failed, acts, false, store.Trash{})
			require.NoError(t, err)
			assert.Equal(t, []store.FailedActed{{Done: true}}, acted, "%d bytes", n)
		}
	})
}

func TestDigestOfLargeRecordsSeesBothEndsAndTheLength(t *testing.T) {
	t.Parallel()
	record := bytes.Repeat([]byte("x"), 3<<20)
	changed := func(at int) []byte {
		other := bytes.Clone(record)
		other[at] = 'y'
		return other
	}
	assert.NotEqual(t, store.Digest(record), store.Digest(changed(0)))
	assert.NotEqual(t, store.Digest(record), store.Digest(changed(len(record)-1)))
	assert.NotEqual(t, store.Digest(record), store.Digest(record[1:]))
	assert.Equal(t, "11f6ad8ec52a2984abaafd7c3b516503785c2072", store.Digest([]byte("x")), "SHA-1")
}
