package limit_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/limit"
	"github.com/goresque/goresque/worker"
)

var jobs = flag.Int("jobs", 400, "how many jobs TestJobsOfManyKeysEnd performs; make soak takes more")

// fixture is a worker for the jobs of one definition.
type fixture struct {
	client *resque.Client
	redis  redis.Conn
	mux    *resque.Mux
}

func newFixture(t *testing.T, s *redistest.Server) fixture {
	t.Helper()
	client, err := resque.New(s.Open(t), resque.Config{})
	require.NoError(t, err)
	return fixture{client, s.Conn(t), resque.NewMux()}
}

// work runs a worker until its queue is empty.
func (f fixture) work(t *testing.T, slots int) {
	t.Helper()
	w, err := worker.New(f.client, f.mux, worker.Config{Queues: []string{"q"}, Concurrency: slots, UntilEmpty: true})
	require.NoError(t, err)
	require.NoError(t, w.Run(t.Context()))
}

func (f fixture) number(t *testing.T, command string, args ...any) int {
	t.Helper()
	n, err := redis.Int(f.redis.Do(command, args...))
	require.NoError(t, err)
	return n
}

func (f fixture) requireNothingHeld(t *testing.T) {
	t.Helper()
	keys, err := redis.Strings(f.redis.Do("KEYS", "resque:goresque:held:*"))
	require.NoError(t, err)
	assert.Empty(t, keys)
}

// Each key has a limit of its own. The jobs end although there is no scheduler, because the
// end of a job brings back the next one.
func TestJobsOfManyKeysEnd(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		keys := max(*jobs/100, 4)
		def := resque.Define2[string, int]("Keyed", "q", limit.Policy{Concurrency: 1, By: limit.Arg(1)})
		var mu sync.Mutex
		running, performed := map[string]int{}, map[int]int{}
		f.mux.Handle(def.Handler(func(_ context.Context, key string, id int) error {
			mu.Lock()
			running[key]++
			n := running[key]
			performed[id]++
			mu.Unlock()
			defer func() {
				mu.Lock()
				running[key]--
				mu.Unlock()
			}()
			if n > 1 {
				return fmt.Errorf("%d jobs of the key %s at once", n, key)
			}
			return nil
		}))
		var all []resque.Job
		for id := range *jobs {
			all = append(all, def.Job(fmt.Sprint("k", id%keys), id))
		}
		_, err := f.client.EnqueueAll(t.Context(), all)
		require.NoError(t, err)
		f.work(t, 25)
		assert.Len(t, performed, *jobs)
		assert.Zero(t, f.number(t, "LLEN", "resque:failed"))
		assert.Equal(t, *jobs, f.number(t, "GET", "resque:stat:processed"))
		assert.Zero(t, f.number(t, "ZCARD", "resque:delayed_queue_schedule"))
		f.requireNothingHeld(t)
	})
}

// Jobs above a rate are delayed until it allows them, and are not counted.
func TestJobsAboveARateAreDelayed(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		def := resque.Define1[int]("Rated", "q", limit.Policy{Rate: limit.PerHour(1), Burst: 2})
		f.mux.Handle(def.Handler(func(context.Context, int) error { return nil }))
		for id := range 5 {
			_, err := f.client.Enqueue(t.Context(), def.Job(id))
			require.NoError(t, err)
		}
		begun := time.Now()
		f.work(t, 3)
		assert.Equal(t, 2, f.number(t, "GET", "resque:stat:processed"))
		times, err := redis.Int64s(f.redis.Do("ZRANGE", "resque:delayed_queue_schedule", 0, -1))
		require.NoError(t, err)
		require.NotEmpty(t, times)
		for _, at := range times {
			assert.WithinRange(t, time.Unix(at, 0), begun.Add(59*time.Minute), time.Now().Add(61*time.Minute))
		}
		f.requireNothingHeld(t)
	})
}

// A job that was told to wait is performed again later. Until then no other job with its
// key begins.
func TestWaitPausesAKey(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		def := resque.Define2[string, int]("Polite", "q", limit.Policy{Concurrency: 5, By: limit.Arg(1)})
		var mu sync.Mutex
		var performed []string
		f.mux.Handle(def.Handler(func(_ context.Context, host string, id int) error {
			mu.Lock()
			defer mu.Unlock()
			performed = append(performed, fmt.Sprint(host, id))
			if host == "slow" {
				return fmt.Errorf("asking: %w", limit.Wait(errors.New("429"), time.Hour))
			}
			return nil
		}))
		for id := range 3 {
			for _, host := range []string{"slow", "quick"} {
				_, err := f.client.Enqueue(t.Context(), def.Job(host, id))
				require.NoError(t, err)
			}
		}
		f.work(t, 1)
		assert.Equal(t, []string{"slow0", "quick0", "quick1", "quick2"}, performed)
		assert.Equal(t, 3, f.number(t, "GET", "resque:stat:processed"), "it has not failed, and is not counted")
		assert.Zero(t, f.number(t, "LLEN", "resque:failed"))
		n, err := f.client.Delayed().Count(t.Context(), resque.DelayedFilter{All: true})
		require.NoError(t, err)
		assert.EqualValues(t, 3, n)
		f.requireNothingHeld(t)
	})
}

func TestWaitWithoutAPolicyIsAFailure(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.StartEmbedded(t))
	def := resque.Define0("Plain", "q")
	f.mux.Handle(def.Handler(func(context.Context) error { return limit.Wait(errors.New("429"), time.Hour) }))
	_, err := f.client.Enqueue(t.Context(), def.Job())
	require.NoError(t, err)
	f.work(t, 1)
	assert.Equal(t, 1, f.number(t, "LLEN", "resque:failed"))
	require.NoError(t, limit.Wait(nil, time.Hour))
}

// Failed jobs, and jobs whose handlers panic, free their places also.
func TestFailedJobsFreeTheirPlaces(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		def := resque.Define1[int]("Bad", "q", limit.Policy{Concurrency: 1})
		f.mux.Handle(def.Handler(func(_ context.Context, id int) error {
			if id%2 == 0 {
				panic("boom")
			}
			return errors.New("boom")
		}))
		for id := range 4 {
			_, err := f.client.Enqueue(t.Context(), def.Job(id))
			require.NoError(t, err)
		}
		f.work(t, 2)
		assert.Equal(t, 4, f.number(t, "LLEN", "resque:failed"))
		f.requireNothingHeld(t)
	})
}

// A job whose limit cannot be read, or whose key cannot be made, fails. The worker goes on.
func TestDamageFailsOnlyItsJobs(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		def := resque.Define1[string]("Keyed", "q", limit.Policy{Concurrency: 1, By: limit.KeyFunc(func(job *resque.Payload) string {
			if strings.Contains(string(job.Args[0]), "panic") {
				panic("no key")
			}
			return strings.Repeat(string(job.Args[0]), 50) // long
		})})
		plain := resque.Define1[string]("Arg", "q", limit.Policy{Concurrency: 1, By: limit.Arg(1)})
		missing := resque.Define0("Missing", "q", limit.Policy{Concurrency: 1, By: limit.Arg(1)})
		count := 0
		for _, d := range []resque.Definition1[string]{def, plain} {
			f.mux.Handle(d.Handler(func(context.Context, string) error { count++; return nil }))
		}
		f.mux.Handle(missing.Handler(func(context.Context) error { count++; return nil }))
		_, err := f.redis.Do("SET", `resque:goresque:held:c:Arg:"damaged"`, "x")
		require.NoError(t, err)
		for _, job := range []resque.Job{def.Job("panic"), plain.Job("damaged"), def.Job("fine"), plain.Job("fine"), missing.Job()} {
			_, err := f.client.Enqueue(t.Context(), job)
			require.NoError(t, err)
		}
		f.work(t, 1)
		assert.Equal(t, 3, count)
		assert.Equal(t, 2, f.number(t, "LLEN", "resque:failed"))
	})
}

func TestInvalidPoliciesAreRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	for want, settings := range map[string][]resque.Setting{
		"neither Concurrency nor Rate is set (a limit of 0 is not possible)": {limit.Policy{}},
		"Concurrency is -1; it must not be negative":                         {limit.Policy{Concurrency: -1}},
		"Rate: 0 jobs (it must be more than 0)":                              {limit.Policy{Rate: limit.PerMinute(0)}},
		"Arg(0): arguments are counted from 1":                               {limit.Policy{Concurrency: 1, By: limit.Arg(0)}},
		"nil limit.KeyFunc in By":                                            {limit.Policy{Concurrency: 1, By: limit.KeyFunc(nil)}},
		"limit.Policy given twice":                                           {limit.Policy{Concurrency: 1}, limit.Policy{Concurrency: 2}},
	} {
		func() {
			defer func() {
				text := fmt.Sprint(recover())
				assert.Contains(t, text, `class "Exporter"`)
				assert.Contains(t, text, want)
			}()
			resque.Define0("Exporter", "exports", settings...)
		}()
	}
}
