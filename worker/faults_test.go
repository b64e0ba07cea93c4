package worker_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// tally counts how often each job was performed.
type tally struct {
	mu    sync.Mutex
	times map[int64]int
	done  chan struct{} // closed once want jobs have been performed
	want  int
}

func newTally(want int) *tally {
	return &tally{times: map[int64]int{}, done: make(chan struct{}), want: want}
}

func (c *tally) count(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.times[id]++
	if len(c.times) == c.want && c.times[id] == 1 {
		close(c.done)
	}
}

// requireOnce asserts that jobs 1 to want were each performed once.
func (c *tally) requireOnce(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	want := map[int64]int{}
	for id := range c.want {
		want[int64(id+1)] = 1
	}
	require.Equal(t, want, c.times)
}

// mux performs Exporter: a count, and a failure for every fourth job.
func (c *tally) mux() *resque.Mux {
	mux := resque.NewMux()
	mux.Handle(resque.Define1[int64]("Exporter", "exports").Handler(func(_ context.Context, id int64) error {
		c.count(id)
		if id%4 == 0 {
			return errors.New("every fourth job fails")
		}
		return nil
	}))
	return mux
}

func exporters(count int) []resque.Job {
	jobs := make([]resque.Job, count)
	for i := range jobs {
		jobs[i] = resque.Job{Queue: "exports", Class: "Exporter", Args: []any{i + 1}}
	}
	return jobs
}

// TestNoJobIsLostOrDoneTwiceWhenAConnectionBreaks breaks the connection of the
// k-th exchange, before Redis has it or before its reply arrives.
func TestNoJobIsLostOrDoneTwiceWhenAConnectionBreaks(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fate{"before the request": cut, "before the reply": swallow} {
		for _, slots := range []int{1, 5} {
			for k := 1; k <= 6; k++ {
				t.Run(fmt.Sprintf("%s, %d slots, call %d", name, slots, k), func(t *testing.T) {
					t.Parallel()
					server := redistest.StartReal(t)
					enqueue(t, server, exporters(16)...)
					var calls atomic.Int64
					behind := relayTo(t, server, func(request []string) fate {
						if isExchange(request) && calls.Add(1) == int64(k) {
							return f
						}
						return pass
					})
					c := newTally(16)
					w := newWorker(t, behind, c.mux(), worker.Config{
						Queues: []string{"exports"}, Concurrency: slots, UntilEmpty: true,
					})
					require.NoError(t, <-goRun(t, w))
					require.GreaterOrEqual(t, calls.Load(), int64(k), "the fault never came")
					c.requireOnce(t)
					requireFinished(t, server, 16, 4)
				})
			}
		}
	}
}

// The same with a connection that breaks at every other call.
func TestNoJobIsLostWhenEveryOtherCallBreaks(t *testing.T) {
	t.Parallel()
	server := redistest.StartReal(t)
	enqueue(t, server, exporters(12)...)
	var calls atomic.Int64
	behind := relayTo(t, server, func(request []string) fate {
		if !isExchange(request) {
			return pass
		}
		return []fate{pass, swallow, pass, cut}[calls.Add(1)%4]
	})
	c := newTally(12)
	w := newWorker(t, behind, c.mux(), worker.Config{Queues: []string{"exports"}, Concurrency: 3, UntilEmpty: true})
	require.NoError(t, <-goRun(t, w))
	c.requireOnce(t)
	requireFinished(t, server, 12, 3)
}

// The reply that brings jobs is lost, and the worker stops before it can ask again:
// the jobs were not begun.
func TestJobsReservedDuringAStopAreReturned(t *testing.T) {
	t.Parallel()
	for slots, k := range map[int]int64{1: 2, 5: 3} { // the first call only loads the script
		t.Run(fmt.Sprintf("%d slots", slots), func(t *testing.T) {
			t.Parallel()
			server := redistest.StartReal(t)
			enqueue(t, server, exporters(8)...)
			before := queue(t, server, "exports")
			ctx, cancel := context.WithCancel(t.Context())
			var calls atomic.Int64
			behind := relayTo(t, server, func(request []string) fate {
				if isExchange(request) && calls.Add(1) == k {
					cancel()
					return swallow
				}
				return pass
			})
			c := newTally(8)
			w := newWorker(t, behind, c.mux(), worker.Config{Queues: []string{"exports"}, Concurrency: slots})
			require.NoError(t, w.Run(ctx))
			var left []string // without the jobs that an earlier call brought and that began
			for i, payload := range before {
				if c.times[int64(i+1)] == 0 {
					left = append(left, payload)
				}
			}
			require.GreaterOrEqual(t, len(left), len(before)-slots+1)
			require.ElementsMatch(t, left, queue(t, server, "exports"))
			requireGone(t, server.Conn(t))
			if slots == 1 { // with more, a job of an earlier call may return later than others
				require.Equal(t, left, queue(t, server, "exports"), "not in the order they had")
			}
		})
	}
}

// requireFinished asserts what Redis holds after a run that drained its queue.
func requireFinished(t *testing.T, server *redistest.Server, processed, failed int) {
	t.Helper()
	c := server.Conn(t)
	assert.EqualValues(t, processed, number(t, c, "resque:stat:processed"))
	assert.EqualValues(t, failed, number(t, c, "resque:stat:failed"))
	assert.EqualValues(t, failed, do(t, c, "LLEN", "resque:failed"))
	assert.EqualValues(t, 0, do(t, c, "LLEN", "resque:queue:exports"))
	requireGone(t, c)
}

// requireGone asserts that no trace of a worker is left.
func requireGone(t *testing.T, c redis.Conn) {
	t.Helper()
	for _, pattern := range []string{"resque:worker:*", "resque:workers*", "resque:stat:*:*"} {
		assert.Empty(t, do(t, c, "KEYS", pattern), "keys left: %s", pattern)
	}
}

func number(t *testing.T, c redis.Conn, key string) int64 {
	t.Helper()
	n, err := redis.Int64(c.Do("GET", key))
	if errors.Is(err, redis.ErrNil) {
		return 0
	}
	require.NoError(t, err)
	return n
}

func queue(t *testing.T, server *redistest.Server, name string) []string {
	t.Helper()
	items, err := redis.Strings(server.Conn(t).Do("LRANGE", "resque:queue:"+name, 0, -1))
	require.NoError(t, err)
	return items
}

// eventually waits for an effect of other goroutines or processes.
func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, 3*time.Minute, 5*time.Millisecond, what) // where machines stop for seconds, a watch begins again each time
}
