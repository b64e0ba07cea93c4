package exchange

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
)

// asked is one call of an exchange.
type asked struct {
	queues   []string
	finished []string // the workers
	free     []string
}

// script is a backend that answers calls with answers, in order. Further calls find no
// job.
type script struct {
	requeuer
	mu         sync.Mutex
	calls      []asked
	answers    []func(s *script, free []store.Slot) (store.Exchanged, error)
	known      []string
	registered []string
	refuses    error // of Register
	finished   func(store.Outcome)
}

func newScript(answers ...func(s *script, free []store.Slot) (store.Exchanged, error)) *script {
	return &script{requeuer: store.New(nowhere{}), answers: answers}
}

func (s *script) Exchange(ctx context.Context, queues []string, finished []store.Outcome, free []store.Slot) (x store.Exchanged, err error) {
	if _, limited := ctx.Deadline(); !limited || ctx.Err() != nil {
		return x, errors.New("the context of a call must have its own deadline")
	}
	s.mu.Lock()
	call := asked{queues: queues}
	for _, o := range finished {
		call.finished = append(call.finished, o.Worker)
		if s.finished != nil {
			s.finished(o)
		}
	}
	for _, slot := range free {
		call.free = append(call.free, slot.Worker)
	}
	s.calls = append(s.calls, call)
	answer := none
	if n := len(s.calls); n <= len(s.answers) {
		answer = s.answers[n-1]
	}
	s.mu.Unlock()
	x, err = answer(s, free)
	for range len(finished) - len(x.Finished) {
		x.Finished = append(x.Finished, store.FinishResult{Ours: true})
	}
	return x, err
}

func (s *script) Queues(context.Context) ([]string, error) { return s.known, nil }

func (s *script) Register(_ context.Context, workers []string, _ time.Time, _ store.Intervals, force bool) ([]bool, error) {
	s.registered = append(s.registered, fmt.Sprint(workers, force))
	return make([]bool, len(workers)), s.refuses
}

func (s *script) FreeDead(context.Context, string) (int, error) { return 0, nil }

func (s *script) Unpark(context.Context, string) (bool, error) { return false, nil }

func (s *script) NewWatch(context.Context) (*store.Watch, error) { return nil, errors.New("no watch") }

func (s *script) AwaitJob(context.Context, string, time.Duration) (bool, error) {
	return false, errors.New("no move")
}

func (s *script) asked() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]asked(nil), s.calls...)
}

// none is an answer without jobs.
func none(*script, []store.Slot) (store.Exchanged, error) { return store.Exchanged{}, nil }

// jobs is an answer with a job for each free slot.
func jobs(_ *script, free []store.Slot) (x store.Exchanged, err error) {
	for _, slot := range free {
		x.Reserved = append(x.Reserved, store.Reserved{Worker: slot.Worker, Queue: "a"})
	}
	return x, nil
}

func done(job store.Reserved) *Finished {
	f := Finish(job, nil)
	return &f
}

// arrive adds slots to the next call, without goroutines that would take their jobs.
func arrive(x *Exchange, workers ...string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, worker := range workers {
		x.arriveLocked(worker, nil)
	}
}

// changed is an answer that the outcome expected another value, and that its slot still
// has its record.
func changed(_ *script, free []store.Slot) (x store.Exchanged, err error) {
	x.Finished = []store.FinishResult{{Ours: true, Changed: []store.Value{{Text: "1"}}}}
	for _, slot := range free {
		x.Reserved = append(x.Reserved, store.Reserved{Worker: slot.Worker, Queue: "a", Adopted: true})
	}
	return x, nil
}

// An outcome that expected another value is chosen again by a goroutine in Next, while
// other slots can make calls, also when the worker stops.
func TestChangedOutcomesAreChosenAgain(t *testing.T) {
	t.Parallel()
	for _, stops := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(jobs, changed, changed)
			x := newExchange(s, Config{Queues: []string{"a"}, UntilEmpty: true})
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			job, ok := x.Next(ctx, "1", nil)
			require.True(t, ok)
			last := done(job)
			last.Expect = []store.Expectation{{Key: "k"}}
			var events []string
			last.Again = func(expected []store.Expectation, values []store.Value) store.Outcome {
				assert.True(t, x.mu.TryLock(), "Again is called without the lock")
				x.mu.Unlock()
				events = append(events, fmt.Sprint(expected[0].Key, expected[0].Value, values))
				o := last.Outcome
				o.Expect = []store.Expectation{{Key: "k", Value: values[0].Text}}
				if stops {
					stop()
				}
				return o
			}
			last.Recorded = func() func() {
				return func() { events = append(events, "recorded") }
			}
			_, ok = x.Next(ctx, "1", last)
			assert.False(t, ok)
			assert.Equal(t, []string{"k[{1 false}]", "k1[{1 false}]", "recorded"}, events)
			var finished [][]string
			for _, call := range s.asked()[1:4] {
				finished = append(finished, call.finished)
			}
			assert.Equal(t, [][]string{{"1"}, {"1"}, {"1"}}, finished)
			_, err := x.Lost()
			assert.NoError(t, err)
		})
	}
}

// Jobs that are ready when the worker stops are returned. The one that was taken last
// is pushed first, because each goes to the front of its queue.
func TestReadyJobsAreReturnedInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(jobs)
		x := newExchange(s, Config{Queues: []string{"a"}, Slots: 4})
		arrive(x, "1", "2", "3")
		ctx, stop := context.WithCancel(t.Context())
		job, ok := x.Next(ctx, "4", nil)
		require.True(t, ok)
		assert.Equal(t, "1", job.Worker)
		stop()
		_, ok = x.Next(ctx, "4", done(job))
		assert.False(t, ok)
		require.Len(t, s.asked(), 2)
		assert.Equal(t, []string{"1", "4", "3", "2"}, s.asked()[1].finished)
		assert.Empty(t, s.asked()[1].free)
	})
}

// The worker begins to stop during a call, which still reserves jobs.
func TestJobsOfTheLastCallAreReturnedInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		s := newScript(func(s *script, free []store.Slot) (store.Exchanged, error) {
			stop()
			return jobs(s, free)
		})
		x := newExchange(s, Config{Queues: []string{"a"}, Slots: 3})
		arrive(x, "1", "2")
		_, ok := x.Next(ctx, "3", nil)
		assert.False(t, ok)
		require.Len(t, s.asked(), 2)
		assert.Equal(t, []string{"3", "2", "1"}, s.asked()[1].finished)
	})
}

// A goroutine that calls Next during a call to Redis is woken to make the next call.
func TestAGoroutineThatArrivesDuringACallIsWoken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calling, answer := make(chan struct{}), make(chan struct{})
		s := newScript(jobs, func(s *script, free []store.Slot) (store.Exchanged, error) {
			close(calling)
			<-answer
			return jobs(s, free)
		}, jobs)
		x := newExchange(s, Config{Queues: []string{"a"}, Slots: 2})
		arrive(x, "1")
		first, ok := x.Next(t.Context(), "2", nil)
		require.True(t, ok)
		second, ok := x.Next(t.Context(), "2", nil) // is ready; the slot takes part in the next call
		require.True(t, ok)
		var all sync.WaitGroup
		all.Go(func() {
			_, ok := x.Next(t.Context(), "1", done(first))
			assert.True(t, ok)
		})
		<-calling
		all.Go(func() {
			_, ok := x.Next(t.Context(), "2", done(second))
			assert.True(t, ok)
		})
		synctest.Wait()
		assert.Len(t, s.asked(), 2, "one call at a time")
		close(answer)
		all.Wait() // synctest panics if a goroutine is never woken
	})
}

// One call reserves jobs for several goroutines. The waiting ones are woken while the
// one that made the call performs its job.
func TestReadyJobsWakeGoroutines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(none, none, none)
		x := newExchange(s, Config{Queues: []string{"a"}, Slots: 3})
		got := make(chan store.Reserved, 3)
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for _, id := range []string{"1", "2", "3"} {
			all.Go(func() {
				if job, ok := x.Next(ctx, id, nil); ok {
					got <- job
					<-ctx.Done() // it performs
				}
			})
		}
		synctest.Wait()
		s.mu.Lock()
		s.answers = append(s.answers[:len(s.calls)], jobs)
		s.mu.Unlock()
		x.wake()
		synctest.Wait()
		assert.Len(t, got, 3)
		stop()
		all.Wait()
	})
}

// While Redis does not answer, a call is repeated without a limit. When the worker
// stops, it is repeated for LeaveTimeout. Then the outcomes are lost.
func TestACallIsRepeatedUntilLeaveTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("no connection")
		s := newScript()
		for range 10_000 {
			s.answers = append(s.answers, func(*script, []store.Slot) (store.Exchanged, error) { return store.Exchanged{}, away })
		}
		x := newExchange(s, Config{Queues: []string{"a"}, Slots: 2})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan time.Time)
		go func() {
			_, ok := x.Next(ctx, "1", done(store.Reserved{Worker: "1"}))
			assert.False(t, ok)
			ended <- time.Now()
		}()
		backoff.Sleep(t.Context(), time.Hour)
		assert.Greater(t, len(s.asked()), 3600/5)
		select {
		case <-ended:
			t.Error("Next has given up")
		default:
		}
		stop()
		stopped := time.Now()
		took := (<-ended).Sub(stopped)
		assert.GreaterOrEqual(t, took, 20*time.Second)
		assert.LessOrEqual(t, took, 40*time.Second)
		registered, err := x.Lost()
		assert.Equal(t, []string{"1"}, registered)
		require.ErrorIs(t, err, away)
	})
}

func TestAHeldExchangeOnlyFinishesJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(jobs)
		x := newExchange(s, Config{Queues: []string{"a"}, Slots: 1})
		job, ok := x.Next(t.Context(), "1", nil)
		require.True(t, ok)
		x.Hold(true)
		_, paused := x.State()
		assert.True(t, paused)
		ctx, stop := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		waiting.Go(func() { x.Next(ctx, "1", done(job)) })
		synctest.Wait()
		x.wake()
		synctest.Wait()
		require.Len(t, s.asked(), 2)
		assert.Equal(t, asked{finished: []string{"1"}}, s.asked()[1])
		x.Hold(false)
		synctest.Wait()
		require.Len(t, s.asked(), 3)
		assert.Equal(t, asked{queues: []string{"a"}, free: []string{"1"}}, s.asked()[2])
		stop()
		waiting.Wait()
	})
}

// With UntilEmpty the goroutines end when all slots are idle, and not earlier: a running
// job may enqueue another one, and slots that are not registered get no jobs.
func TestUntilEmptyEndsAllGoroutines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(func(_ *script, free []store.Slot) (store.Exchanged, error) {
			return store.Exchanged{Reserved: []store.Reserved{{Worker: free[0].Worker, Queue: "a"}}}, nil
		}, none, func(_ *script, free []store.Slot) (x store.Exchanged, err error) {
			for _, slot := range free {
				x.Unknown = append(x.Unknown, slot.Worker)
			}
			return x, nil
		})
		x := newExchange(s, Config{Queues: []string{"a"}, Slots: 2, UntilEmpty: true})
		running, finish := make(chan store.Reserved, 1), make(chan struct{})
		var all sync.WaitGroup
		for _, id := range []string{"1", "2"} {
			all.Go(func() {
				job, ok := x.Next(t.Context(), id, nil)
				if !ok {
					return
				}
				running <- job
				<-finish
				_, ok = x.Next(t.Context(), id, done(job))
				assert.False(t, ok)
			})
		}
		synctest.Wait()
		require.Len(t, running, 1)
		before := len(s.asked())
		close(finish)
		all.Wait()
		assert.Greater(t, len(s.asked()), before+1, "the slots look again after they are registered")
		assert.NotEmpty(t, s.registered)
		assert.True(t, x.EmptiedLast())
		assert.False(t, x.EmptiedLast(), "once")
	})
}

// With UntilEmpty the goroutines do not end while a slot is not registered, because no
// call reserves jobs for it.
func TestUntilEmptyContinuesIfASlotCannotRegister(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(func(_ *script, free []store.Slot) (store.Exchanged, error) {
			return store.Exchanged{Unknown: []string{free[0].Worker}}, nil
		}, jobs)
		s.refuses = errors.New("OOM")
		x := newExchange(s, Config{Queues: []string{"a"}, UntilEmpty: true})
		next := make(chan bool, 1)
		go func() {
			_, ok := x.Next(t.Context(), "1", nil)
			next <- ok
		}()
		synctest.Wait()
		assert.Equal(t, []string{"[1] true"}, s.registered)
		assert.Empty(t, next, "it waits for the next call")
		x.wake()
		assert.True(t, <-next)
	})
}

// Queues to which jobs were put back come last until another job is performed. After 32
// put-backs in a row the slot takes no job until the next poll.
func TestPutBacksComeLastAndPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		for range 100 {
			s.answers = append(s.answers, jobs)
		}
		x := newExchange(s, Config{Queues: []string{"a", "b"}})
		job, _ := x.Next(t.Context(), "1", nil)
		putBack := func() *Finished {
			f := done(job)
			f.PutBack, f.Queue = true, "a"
			return f
		}
		for range 31 {
			_, ok := x.Next(t.Context(), "1", putBack())
			require.True(t, ok)
		}
		last := s.asked()[31]
		assert.Equal(t, []string{"b", "a"}, last.queues)
		assert.Equal(t, []string{"1"}, last.free)

		ctx, stop := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		waiting.Go(func() { x.Next(ctx, "1", putBack()) })
		synctest.Wait()
		assert.Empty(t, s.asked()[32].free)
		now, _ := x.now()
		assert.Equal(t, x.cfg.PollInterval, time.Until(now.quiet))
		stop()
		waiting.Wait()
	})
}

func TestAPerformedJobRestoresTheOrderOfQueues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(jobs, jobs, jobs)
		x := newExchange(s, Config{Queues: []string{"a", "b", "c"}})
		job, _ := x.Next(t.Context(), "1", nil)
		f := done(job)
		f.PutBack, f.Queue = true, "b"
		job, _ = x.Next(t.Context(), "1", f)
		_, _ = x.Next(t.Context(), "1", done(job))
		assert.Equal(t, []string{"a", "c", "b"}, s.asked()[1].queues)
		assert.Equal(t, []string{"a", "b", "c"}, s.asked()[2].queues)
	})
}

// A queue to which jobs were put back may no longer be among the queues.
func TestReorderAddsNoQueue(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"c", "b", "a"}, reorder([]string{"a", "b", "c"}, []string{"gone", "b", "a"}))
	assert.Equal(t, []string{"a"}, reorder([]string{"a"}, []string{"gone"}))
}

func TestIntervalGrowsWithEachLook(t *testing.T) {
	t.Parallel()
	i := interval{now: 5, least: 1, most: 8, backoff: 2}
	assert.EqualValues(t, 7, i.next())
	assert.EqualValues(t, 8, i.next())
	assert.EqualValues(t, 8, i.next())
	i.found()
	assert.EqualValues(t, 3, i.next())
}

func TestRunAtsAreUniqueWhenTheClockStandsStill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // the clock stands still in it
		c := &caller{}
		seen := map[string]bool{}
		last := ""
		for range 3 {
			for _, runAt := range c.runAts(3) {
				assert.False(t, seen[runAt], runAt)
				assert.Greater(t, runAt, last, "later than the ones before")
				seen[runAt], last = true, runAt
			}
		}
	})
}
