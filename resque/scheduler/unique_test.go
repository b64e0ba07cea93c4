package scheduler_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
	"github.com/goresque/goresque/resque/unique"
)

// A recurring job of a unique class is queued only if no equal job is there. A time at which
// it is refused is used up.
func TestRecurringJobsTakeTheirLocks(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		after := 0
		plain := resque.Define0("Plain", "q", unique.Policy{})
		hooked := resque.Define0("Hooked", "q", unique.Policy{Style: unique.LockTimeoutLoner},
			resque.AfterEnqueue(func(context.Context, resque.Job) error { after++; return nil }))
		f := newScheduleFixture(t, s, scheduler.Config{Location: time.UTC, Entries: []scheduler.Entry{
			{Name: "plain", Every: time.Minute, Job: plain.Job()}, {Name: "hooked", Every: time.Minute, Job: hooked.Job()},
		}})
		f.runUntil(t, noon(), noon().Add(10*time.Minute))
		assert.Equal(t, map[string]int{"Plain": 1, "Hooked": 1}, f.classes(t))
		assert.Equal(t, 1, after)
		client := s.Client(t)
		receipt, err := client.Enqueue(t.Context(), plain.Job())
		require.NoError(t, err)
		assert.Equal(t, resque.Duplicate, receipt.State)

		// When the jobs are gone, the next times fire.
		for _, job := range []resque.Job{plain.Job(), hooked.Job()} {
			_, _, err = client.Dequeue(t.Context(), job)
			require.NoError(t, err)
		}
		f.runUntil(t, noon().Add(10*time.Minute), noon().Add(20*time.Minute))
		assert.Equal(t, map[string]int{"Plain": 1, "Hooked": 1}, f.classes(t))
		assert.Equal(t, 2, after)
	})
}

// The same holds for an entry in Redis, if the scheduler knows the class.
func TestPersistentEntriesTakeTheirLocks(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		plain := resque.Define0("Plain", "q", unique.Policy{})
		mux := resque.NewMux()
		mux.Handle(plain.Handler(func(context.Context) error { return nil }))
		f := newScheduleFixture(t, s, scheduler.Config{Location: time.UTC, Mux: mux, Dynamic: true})
		f.c.do(t, "HSET", "resque:persistent_schedules", "plain", `{"every":"1m","class":"Plain"}`)
		f.runUntil(t, noon(), noon().Add(10*time.Minute))
		assert.Equal(t, map[string]int{"Plain": 1}, f.classes(t))
		receipt, err := s.Client(t).Enqueue(t.Context(), plain.Job())
		require.NoError(t, err)
		assert.Equal(t, resque.Duplicate, receipt.State)
	})
}
