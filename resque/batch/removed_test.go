package batch_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/batch"
)

var (
	everyFailure = resque.FailureFilter{All: true}       //nolint:gochecknoglobals // a constant
	kept         = resque.RemoveOptions{Keep: time.Hour} //nolint:gochecknoglobals // a constant
)

// A failure that is removed, in whatever way, counts as abandoned until it is restored.
func TestMembersWhoseFailuresAreRemovedAreAbandoned(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(*resque.Client) (resque.BulkProgress, error){
		"by id": func(c *resque.Client) (resque.BulkProgress, error) {
			var ids []resque.FailureID
			for job, err := range c.Failures().Oldest(context.Background(), everyFailure) {
				if err != nil {
					return resque.BulkProgress{}, err
				}
				ids = append(ids, job.ID)
			}
			return c.Failures().Remove(context.Background(), kept, ids...)
		},
		"by filter": func(c *resque.Client) (resque.BulkProgress, error) {
			return c.Failures().RemoveAll(context.Background(), kept, resque.FailureFilter{Class: "Exporter"}, nil)
		},
		"all": func(c *resque.Client) (resque.BulkProgress, error) {
			return c.Failures().RemoveAll(context.Background(), kept, everyFailure, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) {
				f := newFixture(t, s)
				f.fails = func(int) error { return errBoom }
				b := f.new(t, batch.Config{Complete: report(), Success: publish()})
				require.NoError(t, b.Add(t.Context(), exports(0, 3)...))
				require.NoError(t, b.Seal(t.Context()))
				f.workOff(t)
				f.requireCounts(t, b, counts{total: 3, failed: 3})
				p, err := remove(f.client)
				require.NoError(t, err)
				require.EqualValues(t, 3, p.Done)
				f.requireCounts(t, b, counts{total: 3, abandoned: 3})

				n, err := f.client.Restore(t.Context(), p.Trash[0])
				require.NoError(t, err)
				require.EqualValues(t, 3, n)
				f.requireCounts(t, b, counts{total: 3, failed: 3})
				f.fails = nil
				_, err = f.client.Failures().RequeueAll(t.Context(), resque.RequeueOptions{}, everyFailure, nil)
				require.NoError(t, err)
				_, err = f.client.Failures().RemoveAll(t.Context(), kept, everyFailure, nil)
				require.NoError(t, err)
				f.requireCounts(t, b, counts{total: 3, failed: 3})
				f.workOff(t)
				f.requireCounts(t, b, counts{total: 3})
				assert.Equal(t, 1, f.times("Report"))
				assert.Equal(t, 1, f.times("Publish"))
			})
		})
	}
}

// A member that is removed from its queue has ended, in whatever way it is removed. If it
// is restored and succeeds, it counts as any other.
func TestMembersThatAreRemovedFromTheirQueueHaveEnded(t *testing.T) {
	t.Parallel()
	everyJob := func(resque.QueuedJob) bool { return true }
	for name, remove := range map[string]func(*resque.Client) (resque.BulkProgress, error){
		"by id": func(c *resque.Client) (resque.BulkProgress, error) {
			jobs, _, err := c.Queue("exports").Page(context.Background(), 0, 10)
			if err != nil {
				return resque.BulkProgress{}, err
			}
			var ids []resque.QueuedJobID
			for _, job := range jobs {
				ids = append(ids, job.ID)
			}
			return c.Queue("exports").Remove(context.Background(), kept, ids...)
		},
		"matching": func(c *resque.Client) (resque.BulkProgress, error) {
			return c.Queue("exports").RemoveMatching(context.Background(), kept, everyJob, nil)
		},
		"all": func(c *resque.Client) (resque.BulkProgress, error) {
			return c.Queue("exports").Clear(context.Background(), kept)
		},
		"the queue": func(c *resque.Client) (resque.BulkProgress, error) {
			n, _, err := c.RemoveQueue(context.Background(), "exports")
			return resque.BulkProgress{Done: n}, err
		},
		"by class": func(c *resque.Client) (resque.BulkProgress, error) {
			n, _, err := c.DequeueClass(context.Background(), export(0))
			return resque.BulkProgress{Done: n}, err
		},
		"delayed": func(c *resque.Client) (resque.BulkProgress, error) {
			return c.Delayed().RemoveAll(context.Background(), kept, resque.DelayedFilter{All: true}, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) {
				f := newFixture(t, s)
				b := f.new(t, batch.Config{Complete: report(), Success: publish()})
				for _, job := range exports(0, 3) {
					if name == "delayed" {
						job = job.In(time.Hour)
					}
					require.NoError(t, b.Add(t.Context(), job))
				}
				require.NoError(t, b.Seal(t.Context()))
				p, err := remove(f.client)
				require.NoError(t, err)
				require.EqualValues(t, 3, p.Done)
				f.requireCounts(t, b, counts{total: 3, abandoned: 3})
				f.workOff(t)
				assert.Equal(t, map[string]int{"Report": 1}, f.performed)
				if p.Trash == nil {
					return
				}
				_, err = f.client.Restore(t.Context(), p.Trash[0])
				require.NoError(t, err)
				f.requireCounts(t, b, counts{total: 3, failed: 3})
				if name == "delayed" {
					_, err = f.client.Delayed().RunAll(t.Context(), resque.DelayedFilter{All: true}, nil)
					require.NoError(t, err)
				}
				f.workOff(t)
				f.requireCounts(t, b, counts{total: 3})
				assert.Equal(t, map[string]int{"Exporter": 3, "Report": 1, "Publish": 1}, f.performed)
			})
		})
	}
}

// Whatever happens to members, in any order, the counters are those of a model, and each
// callback is enqueued once, when the model says so.
func TestABatchCountsAsItsModel(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		f := newFixture(t, s)
		for range 15 {
			playModel(t, f, r)
		}
	})
}

// The states of a member in the model.
type member int

const (
	waiting member = iota
	succeeded
	failedOnce
	abandoned
)

func playModel(t *testing.T, f *fixture, r *rand.Rand) {
	t.Helper()
	f.do(t, "FLUSHALL")
	f.mu.Lock()
	f.performed = map[string]int{}
	f.mu.Unlock()
	b := f.new(t, batch.Config{Complete: report(), Success: publish()})
	members := make([]member, 1+r.IntN(6))
	complete, success, sealed := false, false, false
	fails := map[int]bool{}
	f.fails = func(n int) error {
		if fails[n] {
			return errBoom
		}
		return nil
	}
	require.NoError(t, b.Add(t.Context(), exports(0, len(members))...))
	note := func() {
		want := counts{total: int64(len(members))}
		for _, m := range members {
			switch m {
			case succeeded:
			case waiting:
				want.pending++
			case failedOnce:
				want.failed++
			case abandoned:
				want.abandoned++
			}
		}
		if sealed && want.pending == 0 {
			complete = true
			success = success || want.failed+want.abandoned == 0
		}
		if success {
			return // the batch is over
		}
		f.requireCounts(t, b, want)
	}
	for range 12 {
		switch r.IntN(5) {
		case 0: // perform what waits
			for n := range members {
				fails[n] = r.IntN(2) == 0
			}
			jobs, _, err := f.client.Queue("exports").Page(t.Context(), 0, 100)
			require.NoError(t, err)
			f.workOff(t, "exports")
			for _, job := range jobs {
				n := numberOf(t, job.Raw)
				members[n] = map[bool]member{true: failedOnce, false: succeeded}[fails[n]]
			}
		case 1: // requeue some failures
			_, err := f.client.Failures().RequeueAll(t.Context(), resque.RequeueOptions{Remove: true}, resque.FailureFilter{All: true, Below: 1 + r.Int64N(3)}, nil)
			require.NoError(t, err)
		case 2: // remove some failures
			for job, err := range f.client.Failures().Oldest(t.Context(), resque.FailureFilter{Below: 1}) {
				require.NoError(t, err)
				members[numberOf(t, job.Payload)] = abandoned
			}
			_, err := f.client.Failures().RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{All: true, Below: 1}, nil)
			require.NoError(t, err)
		case 3: // remove a waiting job
			jobs, _, err := f.client.Queue("exports").Page(t.Context(), 0, 1)
			require.NoError(t, err)
			for _, job := range jobs {
				members[numberOf(t, job.Raw)] = abandoned
				_, err := f.client.Queue("exports").Remove(t.Context(), resque.RemoveOptions{}, job.ID)
				require.NoError(t, err)
			}
		case 4:
			sealed = true
			require.NoError(t, b.Seal(t.Context()))
		}
		note()
		want := 0
		for _, due := range []bool{complete, success} {
			if due {
				want++
			}
		}
		require.EqualValues(t, want, f.do(t, "LLEN", "resque:queue:reports"))
	}
}

func numberOf(t *testing.T, payload []byte) (n int) {
	t.Helper()
	job, err := resque.ParsePayload("exports", payload)
	require.NoError(t, err)
	require.NoError(t, job.Bind(&n))
	return n
}
