package batch_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/batch"
)

// An Add whose reply was lost is repeated: no job is in its queue twice.
func TestAddIsRepeatedAfterALostReply(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		for _, lost := range []int{1, 2, 3, 4, 5} {
			direct := newFixture(t, s)
			direct.do(t, "FLUSHALL")
			proxy := s.Proxy(t)
			f := newFixture(t, &redistest.Server{URL: proxy.URL})
			warm := f.new(t, batch.Config{})
			require.NoError(t, warm.Add(t.Context(), export(0)), "this loads the scripts")
			direct.do(t, "DEL", "resque:queue:exports")
			b := f.new(t, batch.Config{Complete: report()})
			jobs := append(exports(0, 1500), report("other"), export(1500))
			calls := 0
			proxy.Watch(func([]byte) bool {
				if calls++; calls == lost {
					proxy.Cut()
				}
				return true
			})
			err := b.Add(t.Context(), jobs...)
			proxy.Watch(func([]byte) bool { return true })
			if err != nil {
				if lost > 1 { // the first call only gives numbers
					require.ErrorContains(t, b.Seal(t.Context()), "repeat it with the same jobs")
					require.ErrorContains(t, b.Add(t.Context(), export(1)), "repeat it with the same jobs")
				}
			}
			for range 5 { // the other connections of the pool may be broken as well
				if err == nil {
					break
				}
				err = b.Add(t.Context(), jobs...)
			}
			require.NoError(t, err)
			require.NoError(t, b.Seal(t.Context()))
			assert.EqualValues(t, 1501, direct.do(t, "LLEN", "resque:queue:exports"), "call %d", lost)
			assert.EqualValues(t, 1, direct.do(t, "LLEN", "resque:queue:reports"), "call %d", lost)
			direct.requireCounts(t, b, counts{total: 1502, pending: 1502})
		}
	})
}

// Hooks may veto members, which are then none, and change them.
func TestHooksOfMembers(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		after := 0
		client, err := resque.New(s.Open(t), resque.Config{EnqueueHooks: []resque.EnqueueMiddleware{
			resque.BeforeEnqueue(func(_ context.Context, job resque.Job) (bool, error) {
				return len(job.Args) == 0 || job.Args[0] != 1, nil
			}),
			resque.AfterEnqueue(func(context.Context, resque.Job) error {
				after++
				return nil
			}),
		}})
		require.NoError(t, err)
		b, err := batch.New(client, batch.Config{Success: publish()})
		require.NoError(t, err)
		require.NoError(t, b.Add(t.Context(), exports(0, 4)...))
		require.NoError(t, b.Seal(t.Context()))
		f.requireCounts(t, b, counts{total: 3, pending: 3})
		assert.Equal(t, 4, after, "three members and the callback")
		f.workOff(t)
		assert.Equal(t, map[string]int{"Exporter": 3, "Publish": 1}, f.performed)
	})
}

func TestListReturnsBatchesThatAreNotCompleteFirst(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s)
		var ids []string
		for i := range 3 {
			b := f.new(t, batch.Config{})
			require.NoError(t, b.Add(t.Context()))
			if i == 1 {
				require.NoError(t, b.Seal(t.Context()))
			} else {
				require.NoError(t, b.Add(t.Context(), export(i)))
			}
			ids = append(ids, b.ID())
		}
		list, total, err := batch.List(t.Context(), f.client, 0, 10)
		require.NoError(t, err)
		assert.EqualValues(t, 3, total)
		require.Len(t, list, 3)
		assert.Equal(t, ids[1], list[2].ID)
		assert.ElementsMatch(t, []string{ids[0], ids[2]}, []string{list[0].ID, list[1].ID})
		list, _, err = batch.List(t.Context(), f.client, 2, 1)
		require.NoError(t, err)
		require.Len(t, list, 1)
		assert.Equal(t, batch.StateSucceeded, list[0].State())
	})
}
