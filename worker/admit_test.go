package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/limit"
	"github.com/goresque/goresque/resque/unique"
	"github.com/goresque/goresque/worker"
)

// locked is a policy whose jobs hold the lock of their argument while they are performed.
type locked struct {
	later   bool // a refused job is performed again after an hour
	counted bool

	mu    sync.Mutex
	kinds []policy.Kind
	notes []string // read at each admission
}

func lockOf(job *policy.Job) string { return "resque:lock:" + string(job.Args[0]) }

func (*locked) Place() policy.Place                  { return policy.Unique }
func (*locked) Judge([]byte, error, *policy.Verdict) {}
func (*locked) String() string                       { return "locked" }
func (*locked) Interrupted() bool                    { return true }
func (p *locked) Apply(s *resque.Settings) error     { return s.AddPolicy(p) }

func (*locked) Admit(job *policy.Job) []store.Need {
	return []store.Need{store.Read("resque:note"), store.Lock(lockOf(job), job.Token, time.Hour)}
}

func (p *locked) End(job *policy.Job, e *policy.Ending) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kinds = append(p.kinds, e.Kind)
	if got := job.Got(policy.Unique); got != nil {
		p.notes = append(p.notes, got[0].Value)
	}
	e.Effects = append(e.Effects, store.Release(lockOf(job), job.Token))
	e.Counted = p.counted
	if e.Kind == policy.Refused && p.later {
		e.Again = job.Again(job.Queue, job.Payload, time.Hour)
	}
}

func lockedBy(p *locked, fn func(context.Context, int64) error) resque.Route {
	return resque.Define1[int64]("Locked", "exports", p).Handler(fn)
}

func lockedMux(p *locked, fn func(context.Context, int64) error) *resque.Mux {
	mux := resque.NewMux()
	mux.Handle(lockedBy(p, fn))
	return mux
}

func lockedJob(id int) resque.Job {
	return resque.Job{Queue: "exports", Class: "Locked", Args: []any{id}}
}

// isAdmit reports whether a request runs the script that admits jobs.
func isAdmit(request []string) bool { return slices.Contains(request, "take") }

func TestAdmittedJobsAreGivenWhatTheyNeed(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c := s.Conn(t)
		do(t, c, "SET", "resque:note", "of today")
		enqueue(t, s, lockedJob(1), lockedJob(2))
		p := &locked{}
		mux := lockedMux(p, func(_ context.Context, id int64) error {
			if do(t, c, "GET", fmt.Sprintf("resque:lock:%d", id)) == nil {
				return errors.New("performed without its lock")
			}
			if id == 2 {
				return errBoom
			}
			return nil
		})
		require.NoError(t, <-goRun(t, newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}, UntilEmpty: true})))
		assert.Equal(t, []policy.Kind{policy.Done, policy.Failed}, p.kinds)
		assert.Equal(t, []string{"of today", "of today"}, p.notes)
		require.Len(t, failures(t, c), 1)
		assert.Equal(t, "boom", failures(t, c)[0].Error)
		assert.Empty(t, do(t, c, "KEYS", "resque:lock:*"))
		requireGone(t, c)
	})
}

// A refused job is not performed. The policy decides what becomes of it. The lock of the
// other job stays.
func TestRefusedJobsAreNotPerformed(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*locked{"later": {later: true}, "dropped": {}, "dropped and counted": {counted: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) {
				p := &locked{later: p.later, counted: p.counted}
				c := s.Conn(t)
				do(t, c, "SET", "resque:lock:1", "another job")
				enqueue(t, s, lockedJob(1))
				mux := lockedMux(p, func(context.Context, int64) error {
					t.Error("performed")
					return nil
				})
				require.NoError(t, <-goRun(t, newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}, UntilEmpty: true})))
				assert.Equal(t, []policy.Kind{policy.Refused}, p.kinds)
				assert.EqualValues(t, "another job", do(t, c, "GET", "resque:lock:1"))
				assert.Empty(t, queue(t, s, "exports"))
				assert.Empty(t, failures(t, c))
				want := map[bool]int64{true: 1}
				assert.Equal(t, want[p.counted], number(t, c, "resque:stat:processed"))
				assert.EqualValues(t, want[p.later], do(t, c, "ZCARD", "resque:delayed_queue_schedule"))
				requireGone(t, c)
			})
		})
	}
}

// If a need cannot be given because its key is of another type, the job fails and says so.
func TestAnAdmissionThatCannotSucceedFailsTheJob(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c := s.Conn(t)
		do(t, c, "RPUSH", "resque:note", "a list")
		enqueue(t, s, lockedJob(1))
		p := &locked{}
		mux := lockedMux(p, func(context.Context, int64) error { return nil })
		require.NoError(t, <-goRun(t, newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}, UntilEmpty: true})))
		require.Len(t, failures(t, c), 1)
		assert.Contains(t, failures(t, c)[0].Error, "WRONGTYPE")
		assert.Equal(t, []policy.Kind{policy.Failed}, p.kinds)
	})
}

// The connection breaks at each admission, before Redis has it or before its reply arrives:
// each job is performed once, with its lock.
func TestAdmissionWhenAConnectionBreaks(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fate{"before the request": cut, "before the reply": swallow} {
		for _, slots := range []int{1, 4} {
			for k := 1; k <= 4; k++ {
				t.Run(fmt.Sprintf("%s, %d slots, call %d", name, slots, k), func(t *testing.T) {
					t.Parallel()
					server := redistest.StartReal(t)
					for id := range 20 {
						enqueue(t, server, lockedJob(id+1))
					}
					var calls atomic.Int64
					behind := relayTo(t, server, func(request []string) fate {
						if isAdmit(request) && calls.Add(1) == int64(k) {
							return f
						}
						return pass
					})
					c := newAttempts()
					w := newWorker(t, behind, lockedMux(&locked{}, func(_ context.Context, id int64) error {
						c.add(id)
						return nil
					}), worker.Config{Queues: []string{"exports"}, Concurrency: slots, UntilEmpty: true})
					require.NoError(t, <-goRun(t, w))
					require.GreaterOrEqual(t, calls.Load(), int64(k), "the fault never came")
					c.requireEach(t, 20, 1)
					r := server.Conn(t)
					assert.EqualValues(t, 20, number(t, r, "resque:stat:processed"))
					assert.Empty(t, do(t, r, "KEYS", "resque:lock:*"))
					requireGone(t, r)
				})
			}
		}
	}
}

// A worker that is stopped while Redis does not answer an admission returns the job to its
// queue, and releases what Redis has given.
func TestStopDuringAnAdmission(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fate{"Redis does not have it": cut, "its reply is lost": swallow} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.StartReal(t)
			enqueue(t, server, lockedJob(1), lockedJob(2))
			asked := make(chan struct{}, 1000)
			behind := relayTo(t, server, func(request []string) fate {
				if isAdmit(request) {
					asked <- struct{}{}
					return f
				}
				return pass
			})
			p := &locked{}
			w := newWorker(t, behind, lockedMux(p, func(context.Context, int64) error {
				t.Error("performed")
				return nil
			}), worker.Config{Queues: []string{"exports"}})
			ended := goRun(t, w)
			<-asked
			<-asked
			w.Quit()
			require.NoError(t, <-ended)
			assert.Equal(t, []policy.Kind{policy.Returned}, p.kinds)
			assert.Equal(t, []string{`{"class":"Locked","args":[1]}`, `{"class":"Locked","args":[2]}`}, queue(t, server, "exports"))
			c := server.Conn(t)
			assert.Empty(t, do(t, c, "KEYS", "resque:lock:*"))
			assert.Zero(t, number(t, c, "resque:stat:processed"))
			requireGone(t, c)
		})
	}
}

// A job of which another process has taken the record is given nothing and is not
// performed.
func TestAdmissionOfAJobThatIsNoLongerOurs(t *testing.T) {
	t.Parallel()
	server := redistest.StartReal(t)
	enqueue(t, server, lockedJob(1))
	c := server.Conn(t)
	behind := relayTo(t, server, func(request []string) fate {
		if isAdmit(request) {
			_, _ = c.Do("DEL", request[3])
		}
		return pass
	})
	w := newWorker(t, behind, lockedMux(&locked{}, func(context.Context, int64) error {
		t.Error("performed")
		return nil
	}), worker.Config{Queues: []string{"exports"}, UntilEmpty: true})
	require.NoError(t, <-goRun(t, w))
	assert.Empty(t, do(t, server.Conn(t), "KEYS", "resque:lock:*"))
}

// Classes whose policies need nothing are not admitted.
func TestOnlySomeClassesAreAdmitted(t *testing.T) {
	t.Parallel()
	server := redistest.StartReal(t)
	enqueue(t, server, exporters(3)...)
	enqueue(t, server, lockedJob(1))
	var calls atomic.Int64
	behind := relayTo(t, server, func(request []string) fate {
		if isAdmit(request) && request[0] == "EVALSHA" {
			calls.Add(1)
		}
		return pass
	})
	mux := lockedMux(&locked{}, func(context.Context, int64) error { return nil })
	mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error { return nil })
	require.NoError(t, <-goRun(t, newWorker(t, behind, mux, worker.Config{Queues: []string{"exports"}, UntilEmpty: true})))
	assert.EqualValues(t, 1, calls.Load())
}

// Jobs that were admitted together go back to their queue if the worker stops before they
// begin. They hold nothing then.
func TestAdmittedJobsThatAreNotBegunHoldNothing(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	const jobs, until = 200, 60
	class := resque.Define1[int]("Limited", "exports", limit.Policy{Concurrency: 30, By: limit.Arg(1)}, unique.Policy{Style: unique.Loner})
	for id := range jobs {
		enqueue(t, s, class.Job(id))
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var performed atomic.Int64
	mux := resque.NewMux()
	mux.Handle(class.Handler(func(context.Context, int) error {
		if performed.Add(1) == until {
			stop()
		}
		return nil
	}))
	require.NoError(t, newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}, Concurrency: 25}).Run(ctx))
	waiting := queue(t, s, "exports")
	assert.Len(t, waiting, jobs-int(performed.Load()))
	assert.True(t, slices.IsSortedFunc(waiting, func(a, b string) int { return len(a) - len(b) }), "they keep their order")
	for _, pattern := range []string{"resque:goresque:held:*", "resque:goresque:begun:*"} {
		assert.Empty(t, do(t, c, "KEYS", pattern))
	}
	assert.Len(t, do(t, c, "KEYS", "resque:loners:*"), len(waiting), "each waiting job has its lock")
}
