package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

func TestConcurrentPushesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		const producers, each = 16, 50
		var all sync.WaitGroup
		for p := range producers {
			all.Go(func() {
				for i := range each {
					assert.NoError(t, f.Push(t.Context(), "q"+strconv.Itoa(p%3), fmt.Appendf(nil, "%d %d", p, i)))
				}
			})
		}
		all.Wait()
		last := map[int]int{}
		for q := range 3 {
			for _, payload := range f.list(t, "resque:queue:q"+strconv.Itoa(q)) {
				var p, i int
				_, err := fmt.Sscan(payload, &p, &i)
				require.NoError(t, err)
				assert.Equal(t, q, p%3)
				assert.Equal(t, last[p], i, "the jobs of a producer are in order, none twice")
				last[p] = i + 1
			}
		}
		for p := range producers {
			assert.Equal(t, each, last[p])
		}
		queues, err := f.Queues(t.Context())
		require.NoError(t, err)
		slices.Sort(queues)
		assert.Equal(t, []string{"q0", "q1", "q2"}, queues)
	})
}

// waiting has the results of two pushes whose replies are held back, and of pushes that
// wait for them.
type waiting struct {
	errs    []chan error
	release func()
}

// wait starts two pushes whose replies are held back, and then a push for each of ctxs,
// which waits for them.
func wait(t *testing.T, f fixture, remote *store.Store, hold func() func(), ctxs ...context.Context) *waiting {
	t.Helper()
	require.NoError(t, remote.Ping(t.Context()))
	w := &waiting{release: hold()}
	begin := func(ctx context.Context, queue string) {
		answer := make(chan error, 1)
		w.errs = append(w.errs, answer)
		go func() { answer <- remote.Push(ctx, queue, []byte("job")) }()
	}
	begin(t.Context(), "held")
	begin(t.Context(), "held")
	eventually(t, func() bool { return f.exists(t, "resque:queue:held") == 1 && len(f.list(t, "resque:queue:held")) == 2 })
	for i, ctx := range ctxs {
		begin(ctx, "q"+strconv.Itoa(i))
		eventually(t, func() bool { return store.WaitingPushes(remote) == i+1 })
	}
	return w
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	require.Eventually(t, is, time.Minute, time.Millisecond)
}

func TestAWaitingPushEndsWithItsContext(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		proxy, remote := behind(t, f)
		ctx, cancel := context.WithCancel(t.Context())
		w := wait(t, f, remote, proxy.Hold, ctx, t.Context())
		cancel()
		var notSent *store.NotSentError
		err := <-w.errs[2]
		require.ErrorAs(t, err, &notSent)
		require.ErrorIs(t, err, context.Canceled)
		w.release()
		for _, i := range []int{0, 1, 3} {
			require.NoError(t, <-w.errs[i])
		}
		assert.Zero(t, f.exists(t, "resque:queue:q0"))
		assert.Equal(t, []string{"job"}, f.list(t, "resque:queue:q1"))
	})
}

func TestAQueueThatIsNotAListFailsOnlyItsOwnPushes(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		proxy, remote := behind(t, f)
		f.do(t, "SET", "resque:queue:q1", "not a list")
		ctx := t.Context()
		w := wait(t, f, remote, proxy.Hold, ctx, ctx, ctx)
		w.release()
		for i, answer := range w.errs {
			err := <-answer
			if i == 3 {
				require.ErrorContains(t, err, "WRONGTYPE")
				assert.True(t, store.Refused(err))
			} else {
				require.NoError(t, err, i)
			}
		}
		assert.Equal(t, []string{"job"}, f.list(t, "resque:queue:q0"))
		assert.Equal(t, []string{"job"}, f.list(t, "resque:queue:q2"))
	})
}

func TestAPushThatWasSentEndsWithItsContext(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		proxy, remote := behind(t, f)
		ctx, cancel := context.WithCancel(t.Context())
		w := wait(t, f, remote, proxy.Hold, t.Context(), t.Context(), ctx) // the third never leads
		w.release()
		release := proxy.Hold()
		eventually(t, func() bool { return f.exists(t, "resque:queue:q0", "resque:queue:q1", "resque:queue:q2") == 3 })
		cancel()
		err := <-w.errs[4]
		require.ErrorIs(t, err, context.Canceled)
		var notSent *store.NotSentError
		require.False(t, errors.As(err, &notSent), "it may be queued, and here it is")
		release()
		for _, answer := range w.errs[:4] {
			require.NoError(t, <-answer)
		}
	})
}

func TestPushesOfABrokenConnectionFail(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		proxy, remote := behind(t, f)
		ctx := t.Context()
		w := wait(t, f, remote, proxy.Hold, ctx, ctx)
		proxy.Cut()
		w.release()
		for i, answer := range w.errs {
			err := <-answer
			var notSent *store.NotSentError
			if err != nil {
				require.False(t, errors.As(err, &notSent), i)
				assert.False(t, store.Refused(err))
			}
		}
		require.NoError(t, remote.Push(ctx, "later", []byte("job")), "later pushes work")
	})
}

// fakeContext is a context with a deadline and an error that the test chooses. Its
// Done channel does not follow them.
type fakeContext struct {
	context.Context
	deadline time.Time // zero means none
	ended    *atomic.Bool
}

func (c fakeContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

func (c fakeContext) Err() error {
	if c.ended != nil && c.ended.Load() {
		return context.Canceled
	}
	return nil
}

// The context of the push with the latest deadline bounds the shared round trip.
func TestThePushWithTheLatestDeadlineLeads(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		proxy, remote := behind(t, f)
		hurried := fakeContext{Context: t.Context(), deadline: time.Unix(1, 0)}
		w := wait(t, f, remote, proxy.Hold, hurried, hurried, t.Context(), hurried)
		w.release()
		release := proxy.Hold()
		eventually(t, func() bool { return f.exists(t, "resque:queue:q2") == 1 })
		within, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		require.Error(t, remote.Ping(within), "a round trip with the shorter deadline would have failed by now")
		release()
		require.NoError(t, receive(t, w.errs[4]))
		for _, answer := range w.errs {
			_ = receive(t, answer) // those with an earlier deadline may fail, but must end
		}
	})
}

// If the context of the push that must lead has ended, another one leads: no push waits
// forever.
func TestAnotherPushLeadsIfTheContextOfTheFirstHasEnded(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		proxy, remote := behind(t, f)
		left := fakeContext{Context: t.Context(), ended: new(atomic.Bool)}
		w := wait(t, f, remote, proxy.Hold, left, left, left, t.Context(), left)
		left.ended.Store(true)
		w.release()
		for i, answer := range w.errs {
			err := receive(t, answer)
			if i == 0 || i == 1 || i == 5 {
				require.NoError(t, err, i)
				continue
			}
			var notSent *store.NotSentError
			require.ErrorAs(t, err, &notSent, i)
			require.ErrorIs(t, err, context.Canceled, i)
		}
		assert.Equal(t, []string{"job"}, f.list(t, "resque:queue:q3"))
		assert.Zero(t, f.exists(t, "resque:queue:q0", "resque:queue:q1", "resque:queue:q2", "resque:queue:q4"))
		eventually(t, func() bool { return store.PushTrips(remote) == 0 })
	})
}

// A round trip with all waiting pushes could block Redis.
func TestARoundTripHasALimitedNumberOfPushes(t *testing.T) {
	t.Parallel()
	const megabyte = 1 << 20
	assert.Equal(t, 512, store.Gathered(make([]int, 600)...))
	assert.Equal(t, 2, store.Gathered(megabyte/2, megabyte/2, 1))
	assert.Equal(t, 1, store.Gathered(megabyte, 1))
	assert.Equal(t, 2, store.Gathered(1, 3*megabyte, 1))
}

// receive returns the result of a push, which must arrive.
func receive(t *testing.T, answer chan error) error {
	t.Helper()
	select {
	case err := <-answer:
		answer <- err
		return err
	case <-time.After(time.Minute):
		require.Fail(t, "the push hangs")
		return nil
	}
}
