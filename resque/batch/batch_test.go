package batch_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/batch"
	"github.com/goresque/goresque/resque/retry"
)

func TestCallbacksAreEnqueuedWhenAllMembersHaveSucceeded(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		b := f.new(t, batch.Config{Complete: report("day"), Success: publish("day"), Description: "nightly"})
		require.NoError(t, b.Add(t.Context(), exports(0, 3)...))
		assert.Equal(t, fmt.Sprintf(`{"class":"Exporter","args":[0],"batch":{"id":"%s","n":0}}`, b.ID()), f.list(t, "resque:queue:exports")[0])
		f.workOff(t)
		f.requireCounts(t, b, counts{total: 3})
		assert.Equal(t, batch.StateOpen, f.status(t, b).State())
		require.NoError(t, b.Add(t.Context(), export(3)))
		require.NoError(t, b.Seal(t.Context()))
		assert.Equal(t, batch.StateRunning, f.status(t, b).State())
		assert.Empty(t, f.list(t, "resque:queue:reports"))
		f.workOff(t, "exports")
		assert.Equal(t, []string{`{"class":"Report","args":["day"]}`, `{"class":"Publish","args":["day"]}`}, f.list(t, "resque:queue:reports"))
		f.workOff(t)
		assert.Equal(t, map[string]int{"Exporter": 4, "Report": 1, "Publish": 1}, f.performed)
		got := f.status(t, b)
		assert.Equal(t, batch.StateSucceeded, got.State())
		assert.Equal(t, "nightly", got.Description)
		assert.Equal(t, "Report", got.Complete.Class)
		assert.Equal(t, "reports", got.Success.Queue)
		assert.WithinDuration(t, time.Now(), got.Succeeded, time.Minute)
		for _, part := range []string{"ended", "failed", "added", "abandoned"} {
			assert.EqualValues(t, 0, f.do(t, "EXISTS", "resque:goresque:batch:"+b.ID()+":"+part), part)
		}
		assert.Positive(t, f.do(t, "PTTL", "resque:goresque:batch:"+b.ID()))
		require.ErrorIs(t, b.Add(t.Context(), export(4)), batch.ErrSealed)
	})
}

func TestAFailedMemberThatSucceedsLaterNoLongerCounts(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		f.fails = func(n int) error {
			if n < 2 {
				return errBoom
			}
			return nil
		}
		b := f.new(t, batch.Config{Complete: report(), Success: publish()})
		require.NoError(t, b.Add(t.Context(), exports(0, 4)...))
		require.NoError(t, b.Seal(t.Context()))
		f.workOff(t)
		f.requireCounts(t, b, counts{total: 4, failed: 2})
		assert.Equal(t, batch.StateFailed, f.status(t, b).State())
		assert.Equal(t, 1, f.times("Report"))
		assert.Equal(t, 0, f.times("Publish"))

		requeue := func() {
			_, err := f.client.Failures().RequeueAll(t.Context(), resque.RequeueOptions{Remove: true}, resque.FailureFilter{All: true}, nil)
			require.NoError(t, err)
			f.workOff(t)
		}
		f.fails = func(n int) error {
			if n == 1 {
				return errBoom
			}
			return nil
		}
		requeue()
		f.requireCounts(t, b, counts{total: 4, failed: 1})
		assert.Equal(t, 0, f.times("Publish"))
		f.fails = nil
		requeue()
		f.requireCounts(t, b, counts{total: 4})
		assert.Equal(t, 1, f.times("Report"))
		assert.Equal(t, 1, f.times("Publish"))
	})
}

func TestAnEmptyBatchIsCompleteWhenItIsSealed(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		b := f.new(t, batch.Config{Complete: report(), Success: publish()})
		require.NoError(t, b.Add(t.Context()))
		require.NoError(t, b.Seal(t.Context()))
		require.NoError(t, b.Seal(t.Context()), "again")
		f.workOff(t)
		assert.Equal(t, map[string]int{"Report": 1, "Publish": 1}, f.performed)
		assert.Equal(t, batch.StateSucceeded, f.status(t, b).State())
	})
}

// A member that a retry policy performs again has not ended, also while it is snoozed.
func TestARetriedMemberHasNotEnded(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		attempts := 0
		f.mux.HandleFunc("Flaky", func(context.Context, *resque.Payload) error {
			switch attempts++; attempts {
			case 1:
				return errBoom
			case 2:
				return resque.Snooze(0)
			case 3:
				return resque.ErrDontPerform
			}
			return nil
		}, retry.Policy{Limit: 2})
		b := f.new(t, batch.Config{Complete: report(), Success: publish()})
		require.NoError(t, b.Add(t.Context(), resque.Job{Queue: "flaky", Class: "Flaky"}))
		require.NoError(t, b.Seal(t.Context()))
		f.workOff(t)
		assert.Equal(t, 3, attempts)
		assert.Equal(t, map[string]int{"Report": 1, "Publish": 1}, f.performed)
		f.requireCounts(t, b, counts{total: 1})
	})
}

// The payloads of members keep their marks when they are delayed.
func TestDelayedMembers(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		b := f.new(t, batch.Config{Complete: report()})
		require.NoError(t, b.Add(t.Context(), export(0).In(time.Hour), export(1), export(2).At(time.Unix(1, 0)), export(3).In(-time.Hour)))
		require.NoError(t, b.Seal(t.Context()))
		f.workOff(t)
		f.requireCounts(t, b, counts{total: 4, pending: 1})
		_, err := f.client.Delayed().RunAll(t.Context(), resque.DelayedFilter{All: true}, nil)
		require.NoError(t, err)
		f.workOff(t)
		assert.Equal(t, map[string]int{"Exporter": 4, "Report": 1}, f.performed)
	})
}

func TestDelayedMembersAreRefusedWhileARubyProcessIsTheScheduler(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t))
	lock := "resque:resque:resque_scheduler_master_lock"
	f.do(t, "SET", lock, "localhost:4711")
	b := f.new(t, batch.Config{Complete: report()})
	require.ErrorIs(t, b.Add(t.Context(), export(0), export(1).In(time.Hour)), batch.ErrRubyScheduler)
	require.NoError(t, b.Add(t.Context(), export(0)))
	f.requireCounts(t, b, counts{total: 1, pending: 1})
	f.do(t, "SET", lock, "web~go:1:token")
	require.NoError(t, b.Add(t.Context(), export(1).In(time.Hour)))
	f.requireCounts(t, b, counts{total: 2, pending: 2})
}

// Members may add members, also to a sealed batch, until it is complete.
func TestABatchGrowsFromInside(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		f.during = func(ctx context.Context, n int) {
			b, ok := batch.FromContext(ctx)
			assert.True(t, ok)
			if n < 10 {
				assert.NoError(t, b.Add(ctx, export(10*n+10), export(10*n+11)))
			}
		}
		b := f.new(t, batch.Config{Complete: report(), Success: publish()})
		require.NoError(t, b.Add(t.Context(), exports(1, 4)...))
		require.NoError(t, b.Seal(t.Context()))
		f.workOff(t)
		f.requireCounts(t, b, counts{total: 9})
		assert.Equal(t, map[string]int{"Exporter": 9, "Report": 1, "Publish": 1}, f.performed)

		var late error
		f.during = func(ctx context.Context, _ int) {
			inside, _ := batch.FromContext(ctx)
			late = inside.Add(ctx, export(1))
		}
		f.fails = func(int) error { return errBoom }
		b = f.new(t, batch.Config{})
		require.NoError(t, b.Add(t.Context(), export(20)))
		require.NoError(t, b.Seal(t.Context()))
		f.during = nil
		f.workOff(t)
		f.during, f.fails = func(ctx context.Context, _ int) {
			inside, _ := batch.FromContext(ctx)
			late = inside.Add(ctx, export(1))
		}, nil
		_, err := f.client.Failures().RequeueAll(t.Context(), resque.RequeueOptions{}, resque.FailureFilter{All: true}, nil)
		require.NoError(t, err)
		f.workOff(t)
		require.ErrorIs(t, late, batch.ErrSealed, "the batch was complete")
	})
}

func TestMembersOfACanceledBatchAreNotPerformed(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		b := f.new(t, batch.Config{Complete: report(), Success: publish()})
		require.NoError(t, b.Add(t.Context(), exports(0, 3)...))
		require.NoError(t, b.Cancel(t.Context()))
		require.NoError(t, b.Cancel(t.Context()), "again")
		require.ErrorIs(t, b.Add(t.Context(), export(4)), batch.ErrCanceled)
		f.workOff(t)
		assert.Equal(t, map[string]int{"Report": 1}, f.performed)
		f.requireCounts(t, b, counts{total: 3, skipped: 3})
		assert.Equal(t, batch.StateCanceled, f.status(t, b).State())
		assert.EqualValues(t, 0, f.do(t, "LLEN", "resque:failed"))
	})
}

// Callbacks are members of other batches: a chain of two, and one that waits for both.
func TestBatchesFollowEachOther(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		all := f.new(t, batch.Config{Success: publish()})
		for i := range 2 {
			last, err := all.Member(t.Context(), report(i))
			require.NoError(t, err)
			part := f.new(t, batch.Config{Success: last})
			require.NoError(t, part.Add(t.Context(), exports(10*i, 10*i+5)...))
			require.NoError(t, part.Seal(t.Context()))
		}
		require.NoError(t, all.Seal(t.Context()))
		f.requireCounts(t, all, counts{total: 2, pending: 2})
		f.workOff(t, "exports")
		f.requireCounts(t, all, counts{total: 2, pending: 2})
		assert.Equal(t, 0, f.times("Publish"))
		f.workOff(t)
		assert.Equal(t, map[string]int{"Exporter": 10, "Report": 2, "Publish": 1}, f.performed)
	})
}

// Whatever type the keys of a batch have, its members are performed and recorded, and the
// worker goes on.
func TestMembersEndAlthoughAKeyOfTheirBatchHasAnotherType(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", ":ended", ":failed", ":abandoned"} {
		t.Run("key "+key, func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) {
				f := newFixture(t, s)
				f.fails = func(n int) error {
					if n == 0 {
						return errBoom
					}
					return nil
				}
				b := f.new(t, batch.Config{Complete: report(), Success: publish()})
				require.NoError(t, b.Add(t.Context(), exports(0, 3)...))
				require.NoError(t, b.Seal(t.Context()))
				f.do(t, "DEL", "resque:goresque:batch:"+b.ID()+key)
				f.do(t, "RPUSH", "resque:goresque:batch:"+b.ID()+key, "x")
				f.workOff(t)
				assert.Equal(t, 3, f.times("Exporter"))
				assert.EqualValues(t, 1, f.do(t, "LLEN", "resque:failed"))
				assert.Empty(t, f.do(t, "KEYS", "resque:worker:*"))
				if key != ":abandoned" { // it is not needed
					assert.Contains(t, f.status(t, b).Fault, "type")
					assert.Equal(t, 0, f.times("Publish"))
				}
			})
		})
	}
}

// If the queue of a callback has another type, the last member ends, and Seal enqueues the
// callback when the queue is repaired.
func TestSealEnqueuesACallbackThatRedisHasRefused(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		b := f.new(t, batch.Config{Complete: report(), Success: publish()})
		require.NoError(t, b.Add(t.Context(), export(0)))
		require.NoError(t, b.Seal(t.Context()))
		f.do(t, "SET", "resque:queue:reports", "x")
		f.workOff(t, "exports")
		assert.Contains(t, f.status(t, b).Fault, "type")
		f.requireCounts(t, b, counts{total: 1})
		f.do(t, "DEL", "resque:queue:reports")
		require.NoError(t, b.Seal(t.Context()))
		f.workOff(t)
		assert.Equal(t, map[string]int{"Exporter": 1, "Report": 1, "Publish": 1}, f.performed)
		assert.Empty(t, f.status(t, b).Fault)
	})
}

// A mark that no batch has, and a batch that has expired, change nothing.
func TestForeignMarksAreIgnored(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		b := f.new(t, batch.Config{Complete: report()})
		require.NoError(t, b.Seal(t.Context()))
		for _, mark := range []string{
			`{"id":"gone","n":1}`, `{"id":"` + b.ID() + `","n":4000000000}`, `{"id":"` + b.ID() + `","n":0}`, `{"id":"a:b","n":0}`,
			`{"id":"x","n":-1}`, `{"id":"x","n":1e99}`, `{}`, `[]`, `"batch"`, `null`, `{"id":7,"n":"x"}`,
		} {
			_, err := f.client.EnqueuePayload(t.Context(), "exports", []byte(`{"class":"Exporter","args":[1],"batch":`+mark+`}`))
			require.NoError(t, err)
		}
		before := f.status(t, b)
		f.workOff(t)
		assert.Equal(t, 11, f.times("Exporter"))
		assert.Equal(t, before, f.status(t, b))
		assert.EqualValues(t, 2, len(f.do(t, "KEYS", "resque:goresque:batch*").([]any))) //nolint:forcetypeassert // its reply is a list
	})
}

func TestNewReportsAllMistakes(t *testing.T) {
	t.Parallel()
	_, err := batch.New(nil, batch.Config{Keep: -1, Complete: report().In(time.Hour), Success: resque.Job{Class: "X"}})
	for _, part := range []string{"client is nil", "Keep is -1ns", "Complete is a delayed job", "Success has no class or no queue"} {
		require.ErrorContains(t, err, part)
	}
	f := newFixture(t, redistest.Start(t))
	_, err = batch.Open(f.client, "a:b")
	require.ErrorContains(t, err, `"a:b" is not the id of a batch`)
	b, err := batch.Open(f.client, "gone")
	require.NoError(t, err)
	require.ErrorIs(t, b.Add(t.Context(), export(1)), batch.ErrNotFound)
	require.ErrorIs(t, b.Seal(t.Context()), batch.ErrNotFound)
	_, ok, err := batch.Get(t.Context(), f.client, "gone")
	require.NoError(t, err)
	require.False(t, ok)
}
