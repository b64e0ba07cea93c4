//go:build unix

package worker_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/batch"
)

// TestCallbacksAreEnqueuedOnceDespiteKills kills a worker again and again while it performs
// the members of a batch. Complete is enqueued once. The members that were killed are
// requeued, and then Success is enqueued once.
func TestCallbacksAreEnqueuedOnceDespiteKills(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c := s.Conn(t)
	jobs := make([]resque.Job, 1000**kills)
	for id := range jobs {
		jobs[id] = resque.Job{Queue: "exports", Class: "Exporter", Args: []any{id}}
	}
	b := newBatch(t, s)
	require.NoError(t, b.Add(t.Context(), jobs...))
	require.NoError(t, b.Seal(t.Context()))
	for range *kills {
		cmd := process(t, s)
		before := number(t, c, "resque:stat:processed")
		eventually(t, func() bool {
			return number(t, c, "resque:stat:processed") > before+int64(rand.IntN(500)) || do(t, c, "LLEN", "resque:queue:exports") == int64(0)
		}, "the worker does not work")
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	finish := func() {
		last := process(t, s, "WORKER_TEST_LAST=1")
		require.NoError(t, last.Wait())
		prune(t, s, recordedMux())
	}
	finish()
	total := int64(len(jobs))
	failed, _ := do(t, c, "LLEN", "resque:failed").(int64)
	t.Logf("%d members, %d kills: %d members were killed", total, *kills, failed)
	requireBatch(t, s, b, batch.Status{Total: total, Failed: failed})
	reports := 1
	if failed == 0 {
		reports = 2
	}
	require.EqualValues(t, reports, do(t, c, "LLEN", "resque:queue:reports"), "callbacks")
	client, err := resque.New(s.Open(t), resque.Config{})
	require.NoError(t, err)
	_, err = client.Failures().RequeueAll(t.Context(), resque.RequeueOptions{Remove: true}, resque.FailureFilter{All: true}, nil)
	require.NoError(t, err)
	finish()
	requireBatch(t, s, b, batch.Status{Total: total})
	assert.Equal(t, []any{[]byte(`{"class":"Report","args":[]}`), []byte(`{"class":"Publish","args":[]}`)},
		do(t, c, "LRANGE", "resque:queue:reports", 0, -1), "of %d members", total)
	requireGone(t, c)
}
