package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

// gatekeeper answers admissions with what its answers return, in their order, and then
// admits all jobs.
type gatekeeper struct {
	answers []func(jobs []store.Candidate) ([]store.Admission, error)
	next    chan struct{} // receives before each answer

	mu    sync.Mutex
	calls []string
}

func (g *gatekeeper) Admit(_ context.Context, jobs []store.Candidate) ([]store.Admission, error) {
	<-g.next
	g.mu.Lock()
	defer g.mu.Unlock()
	names := make([]string, len(jobs))
	admissions := make([]store.Admission, len(jobs))
	for i, job := range jobs {
		names[i], admissions[i].Ours = job.Worker, true
	}
	g.calls = append(g.calls, fmt.Sprint(names))
	if len(g.answers) == 0 {
		return admissions, nil
	}
	answer := g.answers[0]
	g.answers = g.answers[1:]
	return answer(jobs)
}

func newAdmissions(g *gatekeeper) *Admissions {
	log := slog.New(slog.DiscardHandler)
	return NewAdmissions(g, &Outage{Logger: log}, nil, log)
}

func refusedWith(err error) func(jobs []store.Candidate) ([]store.Admission, error) {
	return func(jobs []store.Candidate) ([]store.Admission, error) {
		admissions := make([]store.Admission, len(jobs))
		for i := range admissions {
			admissions[i] = store.Admission{Ours: true, Err: err}
		}
		return admissions, nil
	}
}

// The jobs that arrive during a call share the next one, also if the call fails.
func TestOneCallAdmitsAllJobsThatWait(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string][]func([]store.Candidate) ([]store.Admission, error){
		"[[0] [1 2 3]]":   nil,
		"[[0] [0 1 2 3]]": {func([]store.Candidate) ([]store.Admission, error) { return nil, errors.New("away") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := &gatekeeper{next: make(chan struct{}), answers: answers}
				a := newAdmissions(g)
				var jobs sync.WaitGroup
				for id := range 4 {
					jobs.Go(func() {
						result, ok := a.Admit(t.Context(), store.Candidate{Worker: strconv.Itoa(id)})
						assert.True(t, ok && result.Ours)
					})
					synctest.Wait()
				}
				close(g.next)
				jobs.Wait()
				assert.Equal(t, name, fmt.Sprint(g.calls))
				assert.False(t, a.calling)
			})
		})
	}
}

// A job whose worker stops does not wait for Redis, whether it waits for a call, is in a
// call of another job, or is to make the next one. The jobs of other contexts go on.
func TestAStoppedAdmissionLeavesTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := func([]store.Candidate) ([]store.Admission, error) { return nil, errors.New("away") }
		g := &gatekeeper{next: make(chan struct{}, 100), answers: []func([]store.Candidate) ([]store.Admission, error){away, away, away}}
		a := newAdmissions(g)
		stopped, stop := context.WithCancel(t.Context())
		var leaving, staying sync.WaitGroup
		for id := range 5 {
			leaving.Go(func() {
				_, ok := a.Admit(stopped, store.Candidate{Worker: strconv.Itoa(id)})
				assert.False(t, ok)
			})
		}
		synctest.Wait()
		staying.Go(func() {
			result, ok := a.Admit(t.Context(), store.Candidate{Worker: "stays"})
			assert.True(t, ok && result.Ours)
		})
		g.next <- struct{}{}
		synctest.Wait()
		stop()
		close(g.next)
		leaving.Wait()
		staying.Wait()
		assert.False(t, a.calling)
		assert.Empty(t, a.waiting)
	})
}

func TestErrorsThatMayPassAreAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gatekeeper{next: make(chan struct{}), answers: []func([]store.Candidate) ([]store.Admission, error){
			refusedWith(redis.Error("READONLY You can't write against a read only replica.")),
			refusedWith(redis.Error("OOM command not allowed")),
		}}
		close(g.next)
		a := newAdmissions(g)
		result, ok := a.Admit(t.Context(), store.Candidate{Worker: "1"})
		require.True(t, ok)
		require.NoError(t, result.Err)
		assert.Len(t, g.calls, 3)

		g.answers = append(g.answers, refusedWith(redis.Error("WRONGTYPE Operation against a key")))
		result, ok = a.Admit(t.Context(), store.Candidate{Worker: "1"})
		require.True(t, ok)
		require.Error(t, result.Err)
		assert.Len(t, g.calls, 4)

		g.answers = append(g.answers, refusedWith(redis.Error("READONLY")))
		stopped, stop := context.WithCancel(t.Context())
		stop()
		_, ok = a.Admit(stopped, store.Candidate{Worker: "1"})
		assert.False(t, ok)
	})
}

// usher is an Admitter of all jobs except those of the slot plain.
type usher struct {
	plain string
	admit func(jobs []store.Reserved)
}

func (u *usher) Needs(job store.Reserved) bool { return job.Worker != u.plain }

func (u *usher) Admit(_ context.Context, jobs []store.Reserved) { u.admit(jobs) }

func (u *usher) Return(job store.Reserved) Finished {
	f := Return(store.New(nowhere{}), job)
	f.Guard = []byte("returned by the usher")
	return f
}

// The jobs of one call are admitted together, before a goroutine gets one of them. Jobs that
// end meanwhile wait for the next call, so that calls stay large.
func TestReservedJobsAreAdmittedTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(jobs)
		var admitted []string
		u := &usher{plain: "2"}
		x := newExchange(s, Config{Queues: []string{"a"}, Slots: 4, Admitter: u})
		u.admit = func(jobs []store.Reserved) {
			for _, job := range jobs {
				admitted = append(admitted, job.Worker)
			}
			assert.True(t, x.mu.TryLock(), "Admit is called without the lock")
			assert.True(t, x.calling)
			assert.Equal(t, 0, len(x.ready))
			x.mu.Unlock()
		}
		arrive(x, "1", "2", "3")
		var got []string
		for _, worker := range []string{"4", "5", "6", "7"} {
			job, ok := x.Next(t.Context(), worker, nil)
			require.True(t, ok)
			got = append(got, job.Worker)
			if len(got) == 1 {
				assert.Empty(t, admitted, "a job that needs no admission does not wait for others")
			}
		}
		assert.Equal(t, []string{"2", "1", "3", "4"}, got)
		assert.Equal(t, []string{"1", "3", "4"}, admitted)
		assert.False(t, x.calling)
	})
}

// If the worker begins to stop while jobs are admitted, the Admitter returns them.
func TestAdmittedJobsAreReturnedByTheAdmitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var guards []string
		s := newScript(jobs)
		x := newExchange(s, Config{Queues: []string{"a"}, Slots: 2, Admitter: &usher{}})
		ctx, stop := context.WithCancel(t.Context())
		x.cfg.Admitter.(*usher).admit = func([]store.Reserved) { stop() }
		s.finished = func(o store.Outcome) { guards = append(guards, string(o.Guard)) }
		arrive(x, "1")
		_, ok := x.Next(ctx, "2", nil)
		assert.False(t, ok)
		assert.Equal(t, []string{"returned by the usher", "returned by the usher"}, guards)
	})
}
