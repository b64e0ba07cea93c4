package resque_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

func TestClearCanBeUndone(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		records := numbered(2500)
		f := newFailed(t, s, records...)
		told := 0
		p, err := f.RemoveAll(t.Context(), resque.RemoveOptions{Keep: time.Hour}, resque.FailureFilter{All: true}, func(resque.BulkProgress) { told++ })
		require.NoError(t, err)
		assert.EqualValues(t, 2500, p.Done)
		assert.Equal(t, 1, told)
		assert.Empty(t, f.list(t, "failed"))
		f.push(t, resque.FailedList, failure("new", ""))
		n, err := f.Restore(t.Context(), p.Trash[0])
		require.NoError(t, err)
		assert.EqualValues(t, 2500, n)
		assert.Equal(t, append(records, failure("new", "")), f.list(t, "failed"))

		p, err = f.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{All: true}, nil)
		require.NoError(t, err)
		assert.EqualValues(t, 2501, p.Done)
		assert.Empty(t, p.Trash)
		keys := f.do(t, "KEYS", "*")
		assert.Empty(t, keys)
	})
}

// Those that were retried go, wherever they stand and however they are written;
// all others stay in their order, and what went comes back.
func TestClearRetried(t *testing.T) {
	t.Parallel()
	const at = `"retried_at":"2026/01/16 12:00:00 UTC"`
	plain := func(i int) string { return recordOf(`{"class":"A","args":[`+strconv.Itoa(i)+`]}`, "") }
	retried := func(i int) string { return recordOf(`{"class":"A","args":[`+strconv.Itoa(i)+`]}`, ","+at) }
	odd := []string{ // retried, by a rare hand
		recordOf(`{"class":"A"}`, `, "retried_at" : "now"`), recordOf(`{"class":"A"}`, ","+at+`,"x":1`), recordOf(`{"class":"A"}`, `,"retried_at":""`),
	}
	kept := []string{ // these only look like it
		recordOf(`{"class":"A","args":["`+`,\"retried_at\":\"2026/01/16 12:00:00 UTC\"}`+`"]}`, ""), recordOf(`{"class":"A","args":[{"x":1,`+at+`}]}`, ""),
		recordOf(`{"class":"A"}`, `,"retried_at":null`), `[` + plain(1) + "," + at + "}", "x," + at + "}", "",
	}
	for name, pick := range map[string]func(i int) bool{
		"none":          func(int) bool { return false },
		"all":           func(int) bool { return true },
		"the older":     func(i int) bool { return i < 700 },
		"the newer":     func(i int) bool { return i >= 700 },
		"every other":   func(i int) bool { return i%2 == 1 },
		"nearly all":    func(i int) bool { return i%100 != 50 },
		"one":           func(i int) bool { return i == 600 },
		"the first one": func(i int) bool { return i == 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) {
				f := newFailed(t, s)
				var all, stay []string
				gone := 0
				add := func(record string, goes bool) {
					all = append(all, record)
					if gone++; !goes {
						stay = append(stay, record)
						gone--
					}
				}
				for i := range 1200 {
					if i == 650 {
						for j := range odd {
							add(odd[j], true)
							add(kept[2*j], false)
							add(kept[2*j+1], false)
						}
					}
					if pick(i) {
						add(retried(i), true)
					} else {
						add(plain(i), false)
					}
				}
				f.push(t, "failed", all...)
				var told resque.BulkProgress
				p, err := f.RemoveAll(t.Context(), resque.RemoveOptions{Keep: time.Minute}, resque.FailureFilter{Requeued: resque.OnlyRequeued},
					func(p resque.BulkProgress) { told = p })
				require.NoError(t, err)
				assert.EqualValues(t, gone, p.Done)
				assert.Positive(t, told.Total)
				assert.Equal(t, stay, f.list(t, "failed"))
				require.Len(t, p.Trash, 1)
				n, err := f.Restore(t.Context(), p.Trash[0])
				require.NoError(t, err)
				assert.EqualValues(t, gone, n)
				assert.ElementsMatch(t, all, f.list(t, "failed"))

				p, err = f.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{Requeued: resque.OnlyRequeued}, nil)
				require.NoError(t, err)
				assert.Empty(t, p.Trash, "nothing is kept")
				assert.EqualValues(t, gone, p.Done)
				assert.Equal(t, stay, f.list(t, "failed"))
			})
		})
	}
}

// What retrying removed comes back as it was, and the jobs stay queued.
func TestRequeueKeepsWhatItRemoves(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFailed(t, s, numbered(5)...)
		before := f.list(t, "failed")
		how := resque.RequeueOptions{Remove: true, Keep: time.Minute}
		p, err := f.Requeue(t.Context(), how, f.id(t, "no. 1"), f.id(t, "no. 3"))
		require.NoError(t, err)
		require.Len(t, p.Trash, 1)
		assert.Len(t, f.list(t, "failed"), 3)
		_, err = f.Restore(t.Context(), p.Trash[0])
		require.NoError(t, err)
		assert.ElementsMatch(t, before, f.list(t, "failed"))

		p, err = f.RequeueAll(t.Context(), how, resque.FailureFilter{All: true}, nil)
		require.NoError(t, err)
		require.Len(t, p.Trash, 1)
		assert.Empty(t, f.list(t, "failed"))
		n, err := f.Restore(t.Context(), p.Trash[0])
		require.NoError(t, err)
		assert.EqualValues(t, 5, n)

		p, err = f.RequeueAll(t.Context(), resque.RequeueOptions{Keep: time.Minute}, resque.FailureFilter{All: true}, nil)
		require.NoError(t, err)
		assert.Empty(t, p.Trash, "marked ones are not removed")
	})
}
