package exchange

import (
	"context"
	"slices"
	"strconv"
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

// refusing is a backend that answers each attempt to track with the next error.
type refusing struct {
	Backend
	answers  []string
	attempts atomic.Int64
	blocked  atomic.Int64
}

func (r *refusing) NewWatch(context.Context) (*store.Watch, error) {
	n := r.attempts.Add(1)
	return nil, redis.Error(r.answers[n-1])
}

func (r *refusing) AwaitJob(ctx context.Context, _ string, _ time.Duration) (bool, error) {
	r.blocked.Add(1)
	<-ctx.Done()
	return false, ctx.Err()
}

// A server that refuses tracking for a temporary reason is asked again. If it does not
// support tracking, each queue gets a blocking move.
func TestWatchBlocksOnlyIfTrackingIsNotSupported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &refusing{answers: []string{
			"BUSY Redis is busy running a script.", "ERR max number of clients reached",
			"LOADING Redis is loading the dataset in memory", "ERR unknown subcommand 'TRACKING'",
		}}
		x := newExchange(r, Config{Queues: []string{"a", "b"}, MaxWaiting: 16})
		x.state.idle, x.state.queues = true, []string{"a", "b"}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			x.watch(ctx)
		}()
		backoff.Sleep(ctx, time.Minute)
		synctest.Wait()
		assert.EqualValues(t, 4, r.attempts.Load())
		assert.EqualValues(t, 2, r.blocked.Load())
		stop()
		<-done
	})
}

// trackedQueue is a queue and a watch on it. As in Redis, the watch reports only the
// first push or pop after it was armed.
type trackedQueue struct {
	Backend
	mu    sync.Mutex
	jobs  int
	armed bool
	told  chan struct{}
}

func (q *trackedQueue) Exchange(_ context.Context, _ []string, _ []store.Outcome, free []store.Slot) (store.Exchanged, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var x store.Exchanged
	for _, slot := range free[:min(len(free), q.jobs)] {
		x.Reserved = append(x.Reserved, store.Reserved{Worker: slot.Worker})
		q.jobs--
		q.changed()
	}
	return x, nil
}

func (q *trackedQueue) changed() {
	if q.armed {
		q.armed = false
		q.told <- struct{}{}
	}
}

func (q *trackedQueue) push() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs++
	q.changed()
}

func (q *trackedQueue) Arm([]string, bool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.armed = true
	return nil
}

func (q *trackedQueue) Wait(ctx context.Context) (renamed bool, err error) {
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-q.told:
		return false, nil
	}
}

func (q *trackedQueue) Ping() error { return nil }
func (q *trackedQueue) Close()      {}

// track waits longer after each look that finds no job. A job that it finds after such a
// wait resets the wait; otherwise every later job would be delayed.
func TestTrackIsFastAgainAfterItFindsAJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &trackedQueue{told: make(chan struct{}, 1000)}
		x := newExchange(q, Config{Queues: []string{"a"}, Slots: 2})
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
		all.Go(func() { x.track(ctx, q) })
		for range 30 { // other workers take the jobs
			q.told <- struct{}{}
		}
		backoff.Sleep(ctx, time.Second) // track is in a long wait
		var took []time.Duration
		for range 200 {
			pushed := time.Now()
			q.push()
			took = append(took, (<-begun).Sub(pushed))
			backoff.Sleep(ctx, time.Millisecond) // track may still wait
		}
		slices.Sort(took)
		assert.Less(t, took[len(took)/2], 5*time.Millisecond, "%v", took)
		stop()
		all.Wait()
	})
}

// growing is a watch that reports new queue names.
type growing struct {
	*trackedQueue
	names []string
}

func (g *growing) Queues(context.Context) ([]string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.names), nil
}

func (g *growing) add(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.names = append(g.names, name)
	g.changed()
}

func (g *growing) Wait(ctx context.Context) (renamed bool, err error) {
	_, err = g.trackedQueue.Wait(ctx)
	return true, err
}

// When Redis reports a new queue that a pattern matches, its jobs are taken at once, even
// if the list of known queues is younger than QueuesMaxAge.
func TestANewQueueIsLookedAtAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &growing{trackedQueue: &trackedQueue{told: make(chan struct{}, 1)}, names: []string{"a"}}
		x := newExchange(g, Config{Queues: []string{"*"}})
		x.caller.queues.maxAge = time.Hour
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { x.Next(ctx, "1", nil) })
		all.Go(func() { x.track(ctx, g) })
		synctest.Wait()
		queues, _ := x.State()
		assert.Equal(t, []string{"a"}, queues)
		g.add("b")
		synctest.Wait()
		queues, _ = x.State()
		assert.Equal(t, []string{"a", "b"}, queues)
		stop()
		all.Wait()
	})
}

// When Redis reports a job, one slot looks for it, because that call is fast. If it finds
// one, more slots look.
func TestOneSlotLooksFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		x := newExchange(s, Config{Queues: []string{"a"}, Slots: 20})
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		var taken atomic.Int64
		for i := range 20 {
			all.Go(func() {
				if _, ok := x.Next(ctx, strconv.Itoa(i), nil); ok {
					taken.Add(1)
				}
			})
		}
		synctest.Wait()
		calls := len(s.asked())
		s.mu.Lock()
		for range calls {
			s.answers = append(s.answers, none)
		}
		s.answers = append(s.answers, jobs, jobs)
		s.mu.Unlock()
		x.wakeOne()
		synctest.Wait()
		var looked []int
		for _, call := range s.asked()[calls:] {
			looked = append(looked, len(call.free))
		}
		assert.Equal(t, []int{1, 8, 11}, looked)
		assert.EqualValues(t, 9, taken.Load())

		calls = len(s.asked())
		x.wakeOne()
		x.wake() // all slots look, as at every interval
		x.wakeOne()
		synctest.Wait()
		assert.Len(t, s.asked()[calls].free, 11)
		stop()
		all.Wait()
	})
}
