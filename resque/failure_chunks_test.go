package resque_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// Acts on large failures go to Redis a few at a time, by filter and by id alike.
func TestLargeFailuresAreRequeuedAndRemoved(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		c, client := s.Conn(t), s.Client(t)
		const n = 9
		fill := func() {
			for i := range n {
				payload := fmt.Sprintf(`{"class":"A","args":[%d,"%s"]}`, i, strings.Repeat("x", 300_000))
				_, err := c.Do("RPUSH", "resque:failed", `{"failed_at":"2026/01/01 00:00:00 UTC","payload":`+payload+`,"exception":"E","error":"e","backtrace":[],"worker":"w","queue":"q"}`)
				require.NoError(t, err)
			}
		}
		size := func(key string) any {
			reply, err := c.Do("LLEN", key)
			require.NoError(t, err)
			return reply
		}

		fill()
		done, err := client.Failures().RequeueAll(t.Context(), resque.RequeueOptions{Remove: true}, resque.FailureFilter{All: true}, nil)
		require.NoError(t, err)
		assert.EqualValues(t, n, done.Done)
		assert.EqualValues(t, 0, size("resque:failed"))
		assert.EqualValues(t, n, size("resque:queue:q"))

		fill()
		var ids []resque.FailureID
		for job, err := range client.Failures().Oldest(t.Context(), resque.FailureFilter{}) {
			require.NoError(t, err)
			if job.ID.Position%2 == 0 {
				ids = append(ids, job.ID)
			}
		}
		removed, err := client.Failures().Remove(t.Context(), resque.RemoveOptions{}, ids...)
		require.NoError(t, err)
		assert.EqualValues(t, len(ids), removed.Done)
		assert.EqualValues(t, n-len(ids), size("resque:failed"))
		for job, err := range client.Failures().Oldest(t.Context(), resque.FailureFilter{}) {
			require.NoError(t, err)
			assert.Contains(t, "1357", string(job.Args[0]))
		}
	})
}
