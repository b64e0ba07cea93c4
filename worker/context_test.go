package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/resque"
)

// A limited is a context with what a worker does to it.
type limited struct {
	context.Context
	end context.CancelCauseFunc
}

type valueKey struct{}

var errLimit = errors.New("the time limit")

// TestJobContextIsLikeThoseOfPackageContext does the same to the context of a job and to
// one of package context, and compares all that a handler can see.
func TestJobContextIsLikeThoseOfPackageContext(t *testing.T) {
	t.Parallel()
	job := &resque.Payload{Class: "Exporter"}
	ofJob := func(values context.Context, limit time.Duration) limited {
		c := &jobContext{values: values, job: job}
		if limit > 0 {
			c.limit(limit, errLimit)
		}
		return limited{c, c.end}
	}
	standard := func(values context.Context, limit time.Duration) limited {
		ctx, end := context.WithCancelCause(values)
		if limit > 0 {
			inner, stop := context.WithTimeoutCause(ctx, limit, errLimit)
			return limited{resque.WithPayload(inner, job), func(cause error) { end(cause); stop() }}
		}
		return limited{resque.WithPayload(ctx, job), end}
	}
	type seen struct {
		Err, Cause                  error
		Done, Deadline, Job, Parent bool
		ChildErr, ChildCause        error
		Called                      bool
	}
	boom, late := errors.New("boom"), errors.New("late")
	look := map[string]func(limited){ // before the actions, so that all is made lazily or early
		"nothing":  func(limited) {},
		"err":      func(c limited) { _ = c.Err() },
		"cause":    func(c limited) { _ = context.Cause(c) },
		"done":     func(c limited) { c.Done() },
		"value":    func(c limited) { c.Value(valueKey{}) },
		"no value": func(c limited) { c.Value("unknown") },
		"deadline": func(c limited) { c.Deadline() },
	}
	act := map[string]func(t *testing.T, c limited){
		"nothing":         func(*testing.T, limited) {},
		"end":             func(_ *testing.T, c limited) { c.end(nil) },
		"end with cause":  func(_ *testing.T, c limited) { c.end(boom) },
		"end twice":       func(_ *testing.T, c limited) { c.end(boom); c.end(late) },
		"end, then cause": func(_ *testing.T, c limited) { c.end(nil); c.end(late) },
		"wait": func(t *testing.T, _ limited) {
			t.Helper()
			backoff.Sleep(t.Context(), time.Minute)
		},
		"wait, then end": func(t *testing.T, c limited) {
			t.Helper()
			backoff.Sleep(t.Context(), time.Minute)
			c.end(boom)
		},
	}
	result := func(t *testing.T, c limited, early bool, act func(*testing.T, limited)) (s seen) {
		t.Helper()
		var called atomic.Bool
		child, cancel := context.Context(nil), context.CancelFunc(nil)
		derive := func() {
			child, cancel = context.WithCancel(context.WithValue(c, valueKey{}, "child")) //nolint:fatcontext // called once
			context.AfterFunc(c, func() { called.Store(true) })                           //nolint:contextcheck // c is the context that is tested
		}
		if early {
			derive()
		}
		act(t, c)
		if !early {
			derive()
		}
		defer cancel()
		synctest.Wait()
		s.Called = called.Load()
		s.Err, s.Cause = c.Err(), context.Cause(c)
		select {
		case <-c.Done():
			s.Done = true
		default:
		}
		_, s.Deadline = c.Deadline()
		given, _ := resque.FromContext(c)
		s.Job, s.Parent = given == job, c.Value(valueKey{}) == "parent"
		s.ChildErr, s.ChildCause = child.Err(), context.Cause(child)
		c.end(nil)
		return s
	}
	for looked, look := range look {
		for acted, act := range act {
			for _, limit := range []time.Duration{0, time.Second, time.Hour} {
				for _, early := range []bool{false, true} {
					synctest.Test(t, func(t *testing.T) {
						parent, stop := context.WithCancelCause(context.WithValue(t.Context(), valueKey{}, "parent"))
						stop(errors.New("the worker stops"))
						var got, want seen
						for _, each := range []struct {
							c  func(context.Context, time.Duration) limited
							to *seen
						}{{ofJob, &got}, {standard, &want}} {
							c := each.c(context.WithoutCancel(parent), limit)
							look(c)
							*each.to = result(t, c, early, act)
						}
						assert.Equal(t, want, got, "look: %s, act: %s, limit: %v, child before: %v", looked, acted, limit, early)
					})
				}
			}
		}
	}
}

// A context that is logged, or is part of the text of another one, does not show arguments.
func TestJobContextIsLoggedWithoutArguments(t *testing.T) {
	t.Parallel()
	c := &jobContext{values: t.Context(), job: &resque.Payload{Class: "Exporter", Raw: []byte("secret")}}
	assert.Equal(t, "the context of a job of Exporter", fmt.Sprint(c))
	child, cancel := context.WithCancel(c)
	defer cancel()
	assert.Equal(t, "the context of a job of Exporter.WithCancel", fmt.Sprint(child))
}

// A context of package context that is derived from that of a job needs no goroutine to
// end with it.
func TestChildrenOfJobContextEndAtOnce(t *testing.T) {
	t.Parallel()
	for range 100 {
		c := &jobContext{values: context.WithoutCancel(t.Context())}
		child, cancel := context.WithCancel(c)
		defer cancel()
		c.end(errLimit)
		require.Equal(t, context.Canceled, child.Err())
		require.Equal(t, errLimit, context.Cause(child))
	}
}

// TestJobContextIsMadeOnce uses a context in many goroutines at once, while it ends.
func TestJobContextIsMadeOnce(t *testing.T) {
	t.Parallel()
	for range 200 {
		c := &jobContext{values: context.Background(), job: &resque.Payload{}}
		var ready, all sync.WaitGroup
		start := make(chan struct{})
		dones := make([]<-chan struct{}, 8)
		for i := range dones {
			ready.Add(1)
			all.Go(func() {
				ready.Done()
				<-start
				switch i % 4 {
				case 0:
					c.end(errLimit)
				case 1:
					_ = c.Err()
					_ = context.Cause(c)
				case 2:
					defer context.AfterFunc(c, func() {})()
				}
				dones[i] = c.Done()
				<-dones[i]
				assert.Equal(t, context.Canceled, c.Err())
				assert.Equal(t, errLimit, context.Cause(c))
			})
		}
		ready.Wait()
		close(start)
		all.Wait()
		for _, done := range dones {
			require.Equal(t, dones[0], done)
		}
	}
}

// A handler that does not ask whether its context has ended needs no memory for it.
//
//nolint:paralleltest // AllocsPerRun also counts the allocations of other tests
func TestJobContextAllocatesNothing(t *testing.T) {
	values := context.WithoutCancel(context.WithValue(context.Background(), valueKey{}, "parent"))
	c := &jobContext{values: values, job: &resque.Payload{}}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_ = c.Err()
		_, _ = c.Deadline()
		_, _ = resque.FromContext(c)
		c.end(nil)
	}))
	assert.Nil(t, c.made.Load())
	assert.Equal(t, c.job, c.Value(policy.JobKey{}))
}
