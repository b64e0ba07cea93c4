package store_test

import (
	"crypto/sha1"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
)

func sha(record string) string {
	sum := sha1.Sum([]byte(record))
	return hex.EncodeToString(sum[:])
}

// fill pushes failures to the list failed.
func (f fixture) fill(t *testing.T, records ...string) {
	t.Helper()
	for _, r := range records {
		f.do(t, "RPUSH", "resque:failed", r)
	}
}

func TestActOnFailedActsOnlyOnMatchingRecords(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.fill(t, "a", "b<pay>c", "d", "e", "d", "f")
		acted, err := f.ActOnFailed(t.Context(), store.Failed, []store.FailedAct{
			{Position: 0, Digest: sha("a"), Remove: true},
			{Position: 1, Digest: sha("b<pay>c"), Queue: "q", From: 2, To: 5, CutFrom: 1, CutTo: 6, Insert: []byte("[]")},
			{Position: 3, Digest: sha("x"), Queue: "q", Remove: true},
			{Position: 4, Digest: sha("d"), Queue: "r", Payload: []byte("other\x00\xff"), Remove: true},
			{Position: 5, Digest: sha("f"), Queue: "r", Remove: true}, // requeues an empty payload
			{Position: 9, Digest: sha("f"), Remove: true},
		}, false, store.Trash{})
		require.NoError(t, err)
		assert.Equal(t, []store.FailedActed{{Done: true}, {Done: true}, {}, {Done: true}, {Done: true}, {}}, acted)
		assert.Equal(t, []string{"b[]c", "d", "e"}, f.list(t, "resque:failed"))
		assert.Equal(t, []string{"pay"}, f.list(t, "resque:queue:q"))
		assert.Equal(t, []string{"other\x00\xff", ""}, f.list(t, "resque:queue:r"))
		assert.Equal(t, 0, f.exists(t, "resque:goresque:trash:"))
		none, err := f.ActOnFailed(t.Context(), store.Failed, nil, false, store.Trash{})
		require.NoError(t, err)
		assert.Empty(t, none)
	})
}

// Records that are far from each other are read one by one.
func TestActOnFailedFarApart(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		for _, first := range []int64{0, 40, 90} {
			f.do(t, "FLUSHALL")
			all := names("%03d", 200)
			f.fill(t, all...)
			var acts []store.FailedAct
			for _, at := range []int64{first, first + 100} {
				acts = append(acts, store.FailedAct{Position: at, Digest: sha(all[at]), Remove: true})
			}
			acted, err := f.ActOnFailed(t.Context(), store.Failed, acts, true, store.Trash{Token: "x", Keep: time.Minute})
			require.NoError(t, err)
			assert.Equal(t, []store.FailedActed{{Done: true}, {Done: true}}, acted)
			left := f.list(t, "resque:failed")
			assert.Len(t, left, 198)
			assert.NotContains(t, left, all[first])
			assert.NotContains(t, left, all[first+100])
			assert.Equal(t, []string{all[first], all[first+100]}, f.list(t, "resque:goresque:trash:x"))
		}
	})
}

func TestActOnFailedActsOnceIfItsReplyIsLost(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		direct := newFixture(t, s)
		direct.fill(t, `{"p":1}`)
		act := []store.FailedAct{{Digest: sha(`{"p":1}`), Queue: "q", From: 5, To: 6, CutFrom: 6, CutTo: 6, Insert: []byte(",2")}}
		proxy := s.Proxy(t)
		f := store.New((&redistest.Server{URL: proxy.URL}).Open(t))
		acted, err := f.ActOnFailed(t.Context(), store.Failed, []store.FailedAct{{Digest: "x"}}, false, store.Trash{}) // this loads the script
		require.NoError(t, err)
		assert.Equal(t, []store.FailedActed{{}}, acted)
		proxy.Cut()
		_, err = f.ActOnFailed(t.Context(), store.Failed, act, false, store.Trash{})
		require.Error(t, err)
		assert.False(t, store.Refused(err))
		acted, err = f.ActOnFailed(t.Context(), store.Failed, act, false, store.Trash{})
		require.NoError(t, err)
		assert.Equal(t, []store.FailedActed{{}}, acted)
		assert.Equal(t, []string{"1"}, direct.list(t, "resque:queue:q"))
		assert.Equal(t, []string{`{"p":1,2}`}, direct.list(t, "resque:failed"))
	})
}

func TestFailInQueuePushesToTheQueuesList(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		f.push(t, "exports", "1")
		r := f.take(t, "w", "exports")
		o := store.Outcome{Worker: "w", Guard: r.Guard, Effects: append(f.FailInQueue("exports", []byte("record")), f.Fail([]byte("record")))}
		f.exchange(t, nil, []store.Outcome{o})
		assert.Equal(t, []string{"record"}, f.list(t, "resque:exports_failed"))
		assert.Equal(t, []string{"record"}, f.list(t, "resque:failed"))
		lists, err := f.FailedQueues(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"exports_failed"}, lists)
	})
}

// Restoring adds the failure list of a queue to failed_queues. The list of all queues is
// never in that set.
func TestRestoreAddsOnlyTheListsOfQueuesToFailedQueues(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		for _, list := range []string{store.Failed, "exports_failed"} {
			f.do(t, "RPUSH", "resque:goresque:trash:"+list, "1", "2")
			n, left, err := f.RestoreFailed(t.Context(), list, list, 10)
			require.NoError(t, err)
			assert.EqualValues(t, 2, n)
			assert.Zero(t, left)
			assert.Equal(t, []string{"1", "2"}, f.list(t, "resque:"+list))
		}
		lists, err := f.FailedQueues(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"exports_failed"}, lists)
	})
}

func TestFailedReturnsTheErrorOfAKeyOfAnotherType(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.do(t, "SET", "resque:failed", "x")
		_, err := f.CountFailed(t.Context(), store.Failed)
		require.ErrorContains(t, err, "WRONGTYPE")
		_, err = f.FailedPart(t.Context(), store.Failed, 0, 1, false)
		require.ErrorContains(t, err, "WRONGTYPE")
		_, err = f.ActOnFailed(t.Context(), store.Failed, []store.FailedAct{{Remove: true}}, false, store.Trash{})
		require.ErrorContains(t, err, "WRONGTYPE")
		_, err = f.ClearFailed(t.Context(), store.Failed, store.Trash{})
		require.ErrorContains(t, err, "WRONGTYPE")
		_, _, err = f.RestoreFailed(t.Context(), store.Failed, "x", 1)
		require.ErrorContains(t, err, "WRONGTYPE")
	})
}
