package exchange

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
)

// moody is a backend that answers each attempt to track with the next error.
type moody struct {
	Backend
	answers  []string
	attempts atomic.Int64
	blocked  atomic.Int64
}

func (m *moody) NewWatch(context.Context) (*store.Watch, error) {
	n := m.attempts.Add(1)
	return nil, redis.Error(m.answers[n-1])
}

func (m *moody) AwaitJob(ctx context.Context, _ string, _ time.Duration) (bool, error) {
	m.blocked.Add(1)
	<-ctx.Done()
	return false, ctx.Err()
}

// A server that is busy for a moment is asked again; one that cannot track is
// not, and each queue gets a blocking move.
func TestWaiterGivesUpAStrategyForGoodReasonsOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &moody{answers: []string{
			"BUSY Redis is busy running a script.", "ERR max number of clients reached",
			"LOADING Redis is loading the dataset in memory", "ERR unknown subcommand 'TRACKING'",
		}}
		x := newExchange(m, Config{Queues: []string{"a", "b"}, MaxWaiting: 16})
		x.state.idle, x.state.queues = true, []string{"a", "b"}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			x.watch(ctx)
		}()
		backoff.Sleep(ctx, time.Minute)
		synctest.Wait()
		assert.EqualValues(t, 4, m.attempts.Load())
		assert.EqualValues(t, 2, m.blocked.Load())
		stop()
		<-done
	})
}

// line is a queue with jobs and a watch on it that tells what Redis's tracking
// does: the next push or pop after it was armed, once.
type line struct {
	Backend
	mu    sync.Mutex
	jobs  int
	armed bool
	told  chan struct{}
}

func (l *line) Exchange(_ context.Context, _ []string, _ []store.Outcome, free []store.Slot) (store.Exchanged, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var x store.Exchanged
	for _, slot := range free[:min(len(free), l.jobs)] {
		x.Reserved = append(x.Reserved, store.Reserved{Worker: slot.Worker})
		l.jobs--
		l.changed()
	}
	return x, nil
}

func (l *line) changed() {
	if l.armed {
		l.armed = false
		l.told <- struct{}{}
	}
}

func (l *line) push() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs++
	l.changed()
}

func (l *line) Arm([]string, bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = true
	return nil
}

func (l *line) Wait(ctx context.Context) (renamed bool, err error) {
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-l.told:
		return false, nil
	}
}

func (l *line) Ping() error { return nil }
func (l *line) Close()      {}

// Who was woken for nothing rests, longer each time; but a job that it finds
// after its rest ends that, or every job after it would wait for a rest, too.
func TestWaiterIsFastAgainAfterItRested(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &line{told: make(chan struct{}, 1000)}
		x := newExchange(l, Config{Queues: []string{"a"}, Slots: 2})
		ctx, stop := context.WithCancel(t.Context())
		begun := make(chan time.Time)
		var all sync.WaitGroup
		for _, id := range []string{"1", "2"} {
			all.Go(func() {
				for {
					if _, ok := x.Next(ctx, id, nil); !ok {
						return
					}
					begun <- time.Now()
				}
			})
		}
		all.Go(func() { x.track(ctx, l) })
		for range 30 { // others take the jobs
			l.told <- struct{}{}
		}
		backoff.Sleep(ctx, time.Second) // it is in the middle of a long rest
		var took []time.Duration
		for range 200 {
			pushed := time.Now()
			l.push()
			took = append(took, (<-begun).Sub(pushed))
			backoff.Sleep(ctx, time.Millisecond) // it may still rest
		}
		slices.Sort(took)
		assert.Less(t, took[len(took)/2], 5*time.Millisecond, "%v", took)
		stop()
		all.Wait()
	})
}
