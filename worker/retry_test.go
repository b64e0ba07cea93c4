package worker_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/worker"
)

var errBoom = errors.New("boom")

// retried returns a mux whose jobs fail fails times each, counted by their argument, and
// then succeed.
func retried(c *attempts, fails int, p retry.Policy) *resque.Mux {
	mux := resque.NewMux()
	mux.Handle(resque.Define1[int64]("Exporter", "exports", p).Handler(func(_ context.Context, id int64) error {
		if c.add(id) <= fails {
			return errBoom
		}
		return nil
	}))
	return mux
}

// attempts counts the attempts of jobs.
type attempts struct {
	mu sync.Mutex
	of map[int64]int
}

func newAttempts() *attempts { return &attempts{of: map[int64]int{}} }

func (a *attempts) add(id int64) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.of[id]++
	return a.of[id]
}

// requireEach asserts that jobs 1 to n have had so many attempts each.
func (a *attempts) requireEach(t *testing.T, n, attempts int) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	want := map[int64]int{}
	for id := range n {
		want[int64(id+1)] = attempts
	}
	require.Equal(t, want, a.of)
}

func requireNoCounters(t *testing.T, c redis.Conn) {
	t.Helper()
	assert.Empty(t, do(t, c, "KEYS", "resque:*resque-retry*"))
}

// A connection breaks at each exchange, before Redis has it or before its reply arrives,
// while jobs fail three times: each has exactly four attempts.
func TestAttemptsAreExactWhenAConnectionBreaks(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fate{"before the request": cut, "before the reply": swallow} {
		for _, slots := range []int{1, 4} {
			for k := 1; k <= 12; k++ {
				t.Run(fmt.Sprintf("%s, %d slots, call %d", name, slots, k), func(t *testing.T) {
					t.Parallel()
					server := redistest.StartReal(t)
					enqueue(t, server, exporters(6)...)
					var calls atomic.Int64
					behind := relayTo(t, server, func(request []string) fate {
						if isExchange(request) && calls.Add(1) == int64(k) {
							return f
						}
						return pass
					})
					c := newAttempts()
					w := newWorker(t, behind, retried(c, 3, retry.Policy{Limit: 3, Record: retry.LastOnly}), worker.Config{
						Queues: []string{"exports"}, Concurrency: slots, UntilEmpty: true,
					})
					require.NoError(t, <-goRun(t, w))
					require.GreaterOrEqual(t, calls.Load(), int64(k), "the fault never came")
					c.requireEach(t, 6, 4)
					r := server.Conn(t)
					assert.EqualValues(t, 24, number(t, r, "resque:stat:processed"))
					assert.EqualValues(t, 18, number(t, r, "resque:stat:failed"))
					assert.EqualValues(t, 0, do(t, r, "LLEN", "resque:failed"))
					requireNoCounters(t, r)
					requireGone(t, r)
				})
			}
		}
	}
}

var equal = flag.Int("equal", 500, "how many attempts TestEqualJobsFailAtOnce lets two equal jobs share at most; make soak takes more")

// Equal jobs share their attempts, as in Ruby. However they end at the same time, each
// failed attempt counts once: two jobs with a limit of n have n+2 attempts in all, because
// the last of them begins to count again.
func TestEqualJobsFailAtOnce(t *testing.T) {
	t.Parallel()
	tests := []struct{ jobs, limit int }{{8, 1}, {8, 7}, {8, 500}, {2, 500}}
	if *equal > 500 {
		tests = append(tests, struct{ jobs, limit int }{2, *equal})
	}
	for _, test := range tests {
		jobs, limit := test.jobs, test.limit
		t.Run(fmt.Sprintf("%d jobs, limit %d", jobs, limit), func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t)
			for range jobs {
				enqueue(t, s, exporters(1)...)
			}
			var log journal
			c := newAttempts()
			var gaveUp atomic.Int64
			p := retry.Policy{Limit: limit, Record: retry.LastOnly, OnGiveUp: func(context.Context, *resque.Payload, retry.State) { gaveUp.Add(1) }}
			w := newWorker(t, s, retried(c, 1<<30, p), worker.Config{
				Queues: []string{"exports"}, Concurrency: jobs, UntilEmpty: true, Logger: log.logger(),
			})
			require.NoError(t, <-goRun(t, w))
			r := s.Conn(t)
			assert.EqualValues(t, jobs, do(t, r, "LLEN", "resque:failed"), "each job fails in the end")
			total := c.of[1]
			assert.EqualValues(t, total, number(t, r, "resque:stat:failed"))
			assert.Equal(t, total, log.count("job failed, retrying")+jobs)
			assert.GreaterOrEqual(t, total, limit+jobs, "the attempts until the first job has used the limit")
			assert.LessOrEqual(t, total, jobs*(limit+1))
			assert.GreaterOrEqual(t, gaveUp.Load(), int64(jobs))
			requireNoCounters(t, r)
			requireGone(t, r)
		})
	}
}

// Of a job with a delay, a Go worker writes what the plugin and a scheduler expect, and
// says so in its log.
func TestRetryIsLogged(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	enqueue(t, s, exporters(1)...)
	var log journal
	var told []retry.State
	p := retry.Policy{
		Limit: 5, Delay: retry.After(time.Hour), Record: retry.LastOnly,
		OnRetry: func(ctx context.Context, job *resque.Payload, a retry.State) {
			_, ok := resque.FromContext(ctx)
			assert.True(t, ok)
			assert.Equal(t, "Exporter", job.Class)
			told = append(told, a)
		},
	}
	w := newWorker(t, s, retried(newAttempts(), 9, p), worker.Config{Queues: []string{"exports"}, Logger: log.logger()})
	require.NoError(t, w.WorkOff(t.Context()))
	require.Len(t, told, 1)
	assert.WithinDuration(t, time.Now().Add(time.Hour), told[0].Due, time.Minute)
	assert.Equal(t, retry.State{Attempt: 1, Limit: 6, Err: errBoom, Due: told[0].Due}, told[0])
	assert.Equal(t, 1, log.count(`msg="job failed, retrying" class=Exporter queue=exports`))
	assert.Equal(t, 1, log.count("attempt=1 attempts=6 due="+told[0].Due.Format(time.RFC3339)+" err=boom"))
	assert.Equal(t, 0, log.count("job done"))
	pending, err := s.Client(t).Delayed().Count(t.Context(), resque.DelayedFilter{})
	require.NoError(t, err)
	assert.EqualValues(t, 1, pending)
}

// backends get the failures that are recorded.
func TestFailureBackendsGetWhatIsRecorded(t *testing.T) {
	t.Parallel()
	for record, want := range map[retry.Record]int{retry.EveryAttempt: 3, retry.LastOnly: 1} {
		s := redistest.Start(t)
		enqueue(t, s, exporters(1)...)
		saved, hooks := 0, 0
		mux := resque.NewMux()
		mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error { return errBoom },
			retry.Policy{Limit: 2, Record: record},
			resque.OnFailure(func(context.Context, *resque.Payload, error) error { hooks++; return nil }))
		w := newWorker(t, s, mux, worker.Config{
			Queues: []string{"exports"},
			FailureBackends: []resque.FailureBackend{resque.FailureBackendFunc(func(_ context.Context, f resque.Failure) error {
				assert.Equal(t, errBoom, f.Err)
				saved++
				return nil
			})},
		})
		require.NoError(t, w.WorkOff(t.Context()))
		assert.Equal(t, want, saved)
		assert.Equal(t, 3, hooks, "each attempt has failed")
		assert.Len(t, failures(t, s.Conn(t)), want)
	}
}

func TestHandlersDecideAboutRetries(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	mux := resque.NewMux()
	snoozed := false
	policy := retry.Policy{Limit: retry.Forever, Delay: retry.After(time.Hour)}
	mux.HandleFunc("Discards", func(context.Context, *resque.Payload) error { return resque.Discard(errBoom) }, policy)
	mux.HandleFunc("Waits", func(context.Context, *resque.Payload) error { return resque.RetryIn(time.Minute, errBoom) }, policy)
	mux.HandleFunc("Snoozes", func(context.Context, *resque.Payload) error {
		if snoozed {
			return nil
		}
		snoozed = true
		return resque.Snooze(0)
	}, resque.OnFailure(func(context.Context, *resque.Payload, error) error { return errors.New("this has not failed") }))
	var log journal
	for _, class := range []string{"Discards", "Waits", "Snoozes"} {
		enqueue(t, s, resque.Job{Queue: "q", Class: class})
	}
	w := newWorker(t, s, mux, worker.Config{Queues: []string{"q"}, Logger: log.logger()})
	require.NoError(t, w.WorkOff(t.Context()))
	c := s.Conn(t)
	recorded := failures(t, c)
	require.Len(t, recorded, 2)
	assert.Equal(t, "Discards", recorded[0].Payload.Class)
	assert.Equal(t, "boom", recorded[0].Error)
	assert.Equal(t, "errors.errorString", recorded[0].Exception)
	assert.Equal(t, "Waits", recorded[1].Payload.Class)
	assert.EqualValues(t, 3, number(t, c, "resque:stat:processed"), "a snoozed job is not counted")
	assert.EqualValues(t, 2, number(t, c, "resque:stat:failed"))
	seconds, err := redis.Int64s(c.Do("ZRANGE", "resque:delayed_queue_schedule", 0, -1))
	require.NoError(t, err)
	require.Len(t, seconds, 1)
	assert.Less(t, seconds[0], time.Now().Add(30*time.Minute).Unix())
	assert.Equal(t, 1, log.count("job snoozed: it asked to be performed again"))
}

// A planned stop is not an attempt: the job goes back to its queue, and its counter stays.
func TestStopIsNotAnAttempt(t *testing.T) {
	t.Parallel()
	for _, deaf := range []bool{false, true} {
		s := redistest.Start(t)
		enqueue(t, s, exporters(1)...)
		c := s.Conn(t)
		begun, end := make(chan struct{}), make(chan struct{})
		mux := resque.NewMux()
		mux.HandleFunc("Exporter", func(ctx context.Context, _ *resque.Payload) error {
			close(begun)
			if deaf {
				<-end
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}, retry.Policy{})
		w := newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}, StopTimeout: 1, StopGrace: time.Millisecond})
		ended := goRun(t, w)
		<-begun
		w.Term()
		require.NoError(t, <-ended)
		close(end)
		assert.Len(t, queue(t, s, "exports"), 1)
		assert.Empty(t, failures(t, c))
		requireNoCounters(t, c)
	}
}

// A job whose worker died has failed an attempt. A job that always kills its worker fails
// in the end.
func TestCrashIsAnAttempt(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c := s.Conn(t)
	var hooks []string
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error { return nil },
		retry.Policy{Limit: 2, Record: retry.LastOnly, OnGiveUp: func(_ context.Context, _ *resque.Payload, a retry.State) {
			hooks = append(hooks, fmt.Sprintf("gave up after %d of %d: %v", a.Attempt, a.Limit, a.Err))
		}})
	client := s.Client(t)
	for attempt := 1; attempt <= 3; attempt++ {
		id := fmt.Sprintf("gone~go:%d:exports", attempt)
		do(t, c, "SADD", "resque:workers", id)
		do(t, c, "SET", "resque:worker:"+id, `{"queue":"exports","run_at":"2026-01-15T12:34:56Z","payload":{"class":"Exporter","args":[1]}}`)
		pruned, err := client.Prune(t.Context(), id, resque.PruneOptions{Handler: mux})
		require.NoError(t, err)
		assert.Equal(t, attempt < 3, pruned.Retried)
		assert.False(t, pruned.Requeued)
		if attempt < 3 {
			assert.Equal(t, []string{`{"class":"Exporter","args":[1]}`}, queue(t, s, "exports"))
			assert.EqualValues(t, attempt-1, number(t, c, "resque:resque-retry:Exporter:356a192b7913b04c54574d18c28d46e6395428ab"))
			do(t, c, "LPOP", "resque:queue:exports")
		}
	}
	recorded := failures(t, c)
	require.Len(t, recorded, 1)
	assert.Equal(t, "Resque::PruneDeadWorkerDirtyExit", recorded[0].Exception)
	require.Len(t, hooks, 1)
	assert.True(t, strings.HasPrefix(hooks[0], "gave up after 3 of 3: "), hooks[0])
	requireNoCounters(t, c)
}

// The functions of a policy are the user's and may panic. The job fails and the worker
// goes on.
func TestPoliciesThatPanic(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]retry.Policy{
		"Only":     {Only: func(error) bool { panic("Only") }},
		"Delay":    {Delay: retry.DelayFunc(func(int, error) time.Duration { panic("Delay") })},
		"ID":       {ID: func(*resque.Payload) string { panic("ID") }},
		"OnRetry":  {OnRetry: func(context.Context, *resque.Payload, retry.State) { panic("OnRetry") }},
		"OnGiveUp": {OnGiveUp: func(context.Context, *resque.Payload, retry.State) { panic("OnGiveUp") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			enqueue(t, s, exporters(1)...)
			var log journal
			w := newWorker(t, s, retried(newAttempts(), 9, p), worker.Config{Queues: []string{"exports"}, Logger: log.logger()})
			require.NoError(t, w.WorkOff(t.Context()))
			c := s.Conn(t)
			assert.GreaterOrEqual(t, log.count("a policy failed"), 1)
			assert.NotEmpty(t, failures(t, c))
			assert.Empty(t, queue(t, s, "exports"))
		})
	}
}

// A counter of another type, or with another text, ends the retries, and nothing else.
func TestDamagedCounterEndsTheRetries(t *testing.T) {
	t.Parallel()
	const key = "resque:resque-retry:Exporter:356a192b7913b04c54574d18c28d46e6395428ab"
	for name, damage := range map[string][]any{
		"list": {"RPUSH", key, "x"}, "text": {"SET", key, "many"}, "long text": {"SET", key, strings.Repeat("9", 5000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			c := s.Conn(t)
			enqueue(t, s, exporters(2)...)
			do(t, c, damage[0].(string), damage[1:]...)
			var log journal
			a := newAttempts()
			w := newWorker(t, s, retried(a, 1, retry.Policy{Limit: retry.Forever, Record: retry.LastOnly}), worker.Config{Queues: []string{"exports"}, Logger: log.logger()})
			require.NoError(t, w.WorkOff(t.Context()))
			assert.Equal(t, map[int64]int{1: 1, 2: 2}, a.of)
			assert.Len(t, failures(t, c), 1)
			assert.Equal(t, 1, log.count("its counter is not a number"))
			requireNoCounters(t, c)
		})
	}
}

func TestAttempt(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	enqueue(t, s, exporters(1)...)
	var states []retry.State
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(ctx context.Context, _ *resque.Payload) error {
		state, err := retry.Attempt(ctx)
		require.NoError(t, err)
		states = append(states, state)
		return errBoom
	}, retry.Policy{Limit: 2})
	mux.HandleFunc("Plain", func(ctx context.Context, _ *resque.Payload) error {
		_, err := retry.Attempt(ctx)
		return err
	})
	w := newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}})
	require.NoError(t, w.WorkOff(t.Context()))
	assert.Equal(t, []retry.State{{Attempt: 1, Limit: 3}, {Attempt: 2, Limit: 3}, {Attempt: 3, Limit: 3}}, states)
	do(t, s.Conn(t), "SET", "resque:failure-resque-retry:Exporter:356a192b7913b04c54574d18c28d46e6395428ab", `{"error":"é\n"}`)
	enqueue(t, s, exporters(1)...)
	enqueue(t, s, resque.Job{Queue: "exports", Class: "Plain"})
	require.NoError(t, w.WorkOff(t.Context()))
	assert.Equal(t, "é\n", states[3].LastError)
	recorded := failures(t, s.Conn(t))
	assert.True(t, slices.ContainsFunc(recorded, func(f failureRecord) bool {
		return strings.HasPrefix(f.Error, "retry: Attempt: ctx is not that of a job")
	}))
}
