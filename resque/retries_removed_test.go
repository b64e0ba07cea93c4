package resque_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
)

// A job that waits for its next attempt, delayed or in its queue, is removed. An equal job that
// is enqueued later has all its attempts.
func TestRemovalForgetsAttempts(t *testing.T) {
	t.Parallel()
	custom := resque.Define1[int]("Custom", "q", retry.Policy{ID: func(*resque.Payload) string { return "mine" }})
	plain := resque.Define1[int]("A", "q")
	removals := map[string]func(t *testing.T, client *resque.Client, job resque.Job){
		"Client.RemoveDelayed": func(t *testing.T, client *resque.Client, job resque.Job) {
			t.Helper()
			n, err := client.RemoveDelayed(t.Context(), job)
			require.NoError(t, err)
			assert.Equal(t, int64(1), n)
		},
		"Delayed.Remove": func(t *testing.T, client *resque.Client, _ resque.Job) {
			t.Helper()
			for job, err := range client.Delayed().Jobs(t.Context(), resque.DelayedFilter{All: true}) {
				require.NoError(t, err)
				_, err = client.Delayed().Remove(t.Context(), resque.RemoveOptions{}, job.ID)
				require.NoError(t, err)
				return
			}
		},
		"Delayed.RemoveAll": func(t *testing.T, client *resque.Client, _ resque.Job) {
			t.Helper()
			p, err := client.Delayed().RemoveAll(t.Context(), resque.RemoveOptions{Keep: time.Hour}, resque.DelayedFilter{All: true}, nil)
			require.NoError(t, err)
			assert.Equal(t, int64(1), p.Done)
		},
		"Client.Dequeue": func(t *testing.T, client *resque.Client, job resque.Job) {
			t.Helper()
			n, _, err := client.Dequeue(t.Context(), job)
			require.NoError(t, err)
			assert.Equal(t, int64(1), n)
		},
		"Client.DequeueClass": func(t *testing.T, client *resque.Client, job resque.Job) {
			t.Helper()
			n, _, err := client.DequeueClass(t.Context(), job)
			require.NoError(t, err)
			assert.Equal(t, int64(1), n)
		},
		"Queue.Remove": func(t *testing.T, client *resque.Client, _ resque.Job) {
			t.Helper()
			jobs, _, err := client.Queue("q").Page(t.Context(), 0, 10)
			require.NoError(t, err)
			require.Len(t, jobs, 1)
			p, err := client.Queue("q").Remove(t.Context(), resque.RemoveOptions{}, jobs[0].ID)
			require.NoError(t, err)
			assert.Equal(t, int64(1), p.Done)
		},
	}
	for name, remove := range removals {
		for class, counter := range map[*resque.Definition1[int]]string{&plain: "resque:resque-retry:A:356a192b7913b04c54574d18c28d46e6395428ab", &custom: "resque:resque-retry:Custom:mine"} {
			t.Run(name+" of "+class.Job(1).Class, func(t *testing.T) {
				t.Parallel()
				redistest.Both(t, func(t *testing.T, s *redistest.Server) {
					mux := resque.NewMux()
					mux.Handle(custom.Handler(func(context.Context, int) error { return nil }))
					client, c := s.Client(t).WithJobs(mux), s.Conn(t)
					var err error
					if name[:2] == "De" || name == "Client.RemoveDelayed" {
						_, err = client.EnqueueIn(t.Context(), time.Hour, class.Job(1))
					} else {
						_, err = client.Enqueue(t.Context(), class.Job(1))
					}
					require.NoError(t, err)
					for _, key := range []string{counter, "resque:failure-resque-retry" + counter[len("resque:resque-retry"):], "resque:resque-retry:A:other"} {
						_, err := c.Do("SET", key, "0")
						require.NoError(t, err)
					}
					remove(t, client, class.Job(1))
					keys, err := c.Do("KEYS", "*resque-retry:*")
					require.NoError(t, err)
					assert.Equal(t, []any{[]byte("resque:resque-retry:A:other")}, keys)
				})
			})
		}
	}
}
