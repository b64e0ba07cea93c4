package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

// A lock that is freed when its job begins is freed once: not by an admission that is
// repeated because its reply was lost, and not by the end of the job, if another job has
// taken the lock since.
func TestALockIsFreedOnceAtBegin(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		lock := store.RubyLock{Key: "resque:lock:J-[1]", Text: "1", TTL: time.Hour, Begun: f.Begun("w0 now")}
		ends := map[string]store.Effect{
			"freed": lock.Freed(0),
			"kept":  lock.Kept(0, time.Time{}),
		}
		for name, end := range ends {
			for _, taken := range []bool{true, false} {
				f.do(t, "FLUSHALL")
				f.register(t, "w0")
				push := func() store.Pushed {
					pushed, err := f.PushWith(t.Context(), store.Pushing{
						Delayed: store.Delayed{Queue: "q", Payload: []byte(`{"class":"J","args":[1]}`)}, Effects: lock.Taken(),
					})
					require.NoError(t, err)
					return pushed
				}
				require.Equal(t, store.PushedNow, push())
				r := f.exchange(t, []string{"q"}, nil, f.slot("w0")).Reserved[0]
				admit := func() {
					got, err := f.Admit(t.Context(), []store.Candidate{{Worker: "w0", Guard: r.Guard, Needs: []store.Need{lock.FreedAtBegin()}}})
					require.NoError(t, err)
					require.NoError(t, got[0].Err)
				}
				admit()
				require.Zero(t, f.exists(t, lock.Key), name)
				if taken {
					require.Equal(t, store.PushedNow, push(), name)
				}
				admit() // the reply of the first call was lost
				assert.Equal(t, taken, f.exists(t, lock.Key) == 1, name)

				outcome := f.done(r)
				outcome.Effects = append([]store.Effect{end}, outcome.Effects...)
				finished := f.exchange(t, nil, []store.Outcome{outcome}).Finished
				require.Equal(t, []store.FinishResult{{Ours: true}}, finished, name)
				assert.Equal(t, taken || name == "kept", f.exists(t, lock.Key) == 1, name)
				assert.Zero(t, f.exists(t, lock.Begun), name)
			}
		}
	})
}
