package resque_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

func isA1(job resque.QueuedJob) bool { return bytes.Contains(job.Raw, []byte(`"A1"`)) }

// Matching jobs are moved in their order, behind those of the other queue, with their bytes.
func TestMoveMatching(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, c := s.Client(t), s.Conn(t)
		var want, rest []string
		for i := range 130 {
			raw := fmt.Sprintf(`{"class":"A%d","args":[%d, 1.0]}`, i%2, i/4)
			require.NoError(t, client.Push(t.Context(), "from", []byte(raw)))
			if i%2 == 1 {
				want = append(want, raw)
			} else {
				rest = append(rest, raw)
			}
		}
		first := `{"class":"First","args":[]}`
		require.NoError(t, client.Push(t.Context(), "to", []byte(first)))
		steps := 0
		p, err := client.Queue("from").MoveMatching(t.Context(), "to", isA1, func(resque.BulkProgress) { steps++ })
		require.NoError(t, err)
		assert.Equal(t, resque.BulkProgress{Total: 130, Seen: 130, Done: 65}, p)
		assert.Positive(t, steps)
		assert.Equal(t, append([]string{first}, want...), waitingIn(t, c, "to"))
		assert.Equal(t, rest, waitingIn(t, c, "from"))
		_, err = client.Queue("from").MoveMatching(t.Context(), "", isA1, nil)
		assert.Error(t, err, "a queue has a name")
	})
}

// Workers take jobs from the front, and programs push, while jobs are moved: no job is lost
// or moved twice, and none that was there stays.
func TestMoveMatchingWhileTheQueueMoves(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, c := s.Client(t), s.Conn(t)
		const jobs = 400
		fillQueue(t, c, "q", jobs)
		taken, seen, late := map[string]bool{}, 0, 0
		match := func(job resque.QueuedJob) bool {
			if seen++; seen%50 == 0 && len(taken) < 100 {
				raw, ok, err := client.Pop(t.Context(), "q")
				require.NoError(t, err)
				require.True(t, ok)
				taken[string(raw.Raw)] = true
				late++
				require.NoError(t, client.Push(t.Context(), "q", fmt.Appendf(nil, `{"class":"Late","args":[%d]}`, late)))
			}
			return isA1(job)
		}
		p, err := client.Queue("q").MoveMatching(t.Context(), "to", match, nil)
		require.NoError(t, err)
		moved, left := waitingIn(t, c, "to"), waitingIn(t, c, "q")
		assert.EqualValues(t, len(moved), p.Done)
		all := map[string]bool{}
		for _, raw := range append(moved, left...) {
			assert.False(t, all[raw] || taken[raw], "%s is there twice", raw)
			all[raw] = true
		}
		assert.Len(t, all, jobs-len(taken)+late)
		for _, raw := range left {
			assert.NotContains(t, raw, `"A1"`)
		}
	})
}
