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

// manyLarge fills the list of failures and queue q with jobs of 600 kB.
func manyLarge(t *testing.T, s *redistest.Server, n int) *resque.Client {
	t.Helper()
	c := s.Conn(t)
	for i := range n {
		payload := fmt.Sprintf(`{"class":"Large","args":[%d,"%s"]}`, i, strings.Repeat("x", 600_000))
		_, err := c.Do("RPUSH", "resque:failed", `{"failed_at":"2026/01/15 12:00:00 UTC","payload":`+payload+`,"exception":"E","error":"m","backtrace":[],"worker":"w","queue":"q"}`)
		require.NoError(t, err)
		_, err = c.Do("RPUSH", "resque:queue:q", payload)
		require.NoError(t, err)
	}
	return s.Client(t)
}

// Lists of large records are read in several calls, and nothing is left out.
func TestLargeFailuresAreReadInParts(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		const n = 12
		client := manyLarge(t, s, n)
		f := client.Failures()
		number := func(job resque.FailedJob) string { return string(job.Args[0]) }
		var newest, oldest []string
		for job, err := range f.Newest(t.Context(), resque.FailureFilter{}) {
			require.NoError(t, err)
			newest = append(newest, number(job))
		}
		for job, err := range f.Oldest(t.Context(), resque.FailureFilter{}) {
			require.NoError(t, err)
			oldest = append(oldest, number(job))
		}
		assert.Equal(t, "11 10 9 8 7 6 5 4 3 2 1 0", strings.Join(newest, " "))
		assert.Equal(t, "0 1 2 3 4 5 6 7 8 9 10 11", strings.Join(oldest, " "))
		count, err := f.Count(t.Context(), resque.FailureFilter{Class: "Large"})
		require.NoError(t, err)
		assert.EqualValues(t, n, count)

		page, err := f.Page(t.Context(), "", 2, 10)
		require.NoError(t, err)
		assert.Len(t, page, 4, "2 MB and the last one")
		assert.Equal(t, "2", number(page[0]))
		some, err := f.Preview(t.Context(), "", 0, 20, 1_000_000)
		require.NoError(t, err)
		require.Len(t, some, n)
		assert.True(t, some[0].IsWhole())
		assert.Equal(t, "E", some[0].Exception)
		assert.False(t, some[11].IsWhole())
		assert.Equal(t, "Large", some[11].Class)
		assert.Equal(t, 2026, some[11].FailedAt.Year())
		require.NoError(t, some[11].Damage)
		assert.Equal(t, some[0].Size+1, some[11].Size, "one digit more")

		found, err := f.Find(t.Context(), some[11].ID)
		require.NoError(t, err)
		assert.Equal(t, "11", number(found))
		p, err := f.Requeue(t.Context(), resque.RequeueOptions{Remove: true}, some[11].ID, some[3].ID, some[7].ID)
		require.NoError(t, err)
		assert.EqualValues(t, 3, p.Done)
		p, err = f.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{Class: "Large"}, nil)
		require.NoError(t, err)
		assert.EqualValues(t, 9, p.Done)
	})
}

func TestLargeJobsAreReadInParts(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client := manyLarge(t, s, 12)
		var peeked []string
		for job, err := range client.Peek(t.Context(), "q", -11, 10) {
			require.NoError(t, err)
			peeked = append(peeked, string(job.Args[0]))
		}
		assert.Equal(t, "1 2 3 4 5 6 7 8 9 10", strings.Join(peeked, " "))
		q := client.Queue("q")
		page, size, err := q.Page(t.Context(), 1, 100)
		require.NoError(t, err)
		assert.EqualValues(t, 12, size)
		assert.Len(t, page, 4)
		some, _, err := q.Preview(t.Context(), 0, 100, 0)
		require.NoError(t, err)
		require.Len(t, some, 12)
		assert.False(t, some[0].IsWhole())
		p, err := q.Remove(t.Context(), resque.RemoveOptions{}, some[2].ID, some[9].ID, some[0].ID)
		require.NoError(t, err)
		assert.Equal(t, resque.BulkProgress{Total: 3, Seen: 3, Done: 3}, p)
		_, _, err = client.Pop(t.Context(), "q") // the others move forward
		require.NoError(t, err)
		p, err = q.Move(t.Context(), "other", some[11].ID, some[1].ID, some[5].ID)
		require.NoError(t, err)
		assert.Equal(t, resque.BulkProgress{Total: 3, Seen: 3, Done: 2, Gone: 1}, p)
		p, err = q.RemoveMatching(t.Context(), resque.RemoveOptions{}, func(resque.QueuedJob) bool { return true }, nil)
		require.NoError(t, err)
		assert.EqualValues(t, 6, p.Done)
	})
}

// The state of many workers and queues has the beginnings of large jobs.
func TestSnapshotOfLargeJobs(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, c := manyLarge(t, s, 1), s.Conn(t)
		for i := range 10 {
			payload := fmt.Sprintf(`{"class":"Large","args":[%d,"%s"]}`, i, strings.Repeat("x", 600_000))
			for _, words := range [][]any{
				{"SADD", "resque:workers", fmt.Sprintf("h:%d:q", i)},
				{"SADD", "resque:queues", fmt.Sprintf("q%d", i)},
				{"RPUSH", fmt.Sprintf("resque:queue:q%d", i), payload},
				{"SET", fmt.Sprintf("resque:worker:h:%d:q", i), `{"queue":"q","run_at":"2026-01-15T12:00:00Z","payload":` + payload + `}`},
			} {
				_, err := c.Do(words[0].(string), words[1:]...)
				require.NoError(t, err)
			}
		}
		snap, err := client.Snapshot(t.Context())
		require.NoError(t, err)
		require.Len(t, snap.Workers, 10)
		workers, err := client.Workers(t.Context())
		require.NoError(t, err)
		cut := 0
		for _, w := range append(snap.Workers, workers...) {
			require.True(t, w.Working)
			require.NoError(t, w.Damage)
			require.Equal(t, "Large", w.Job.Class)
			require.Equal(t, "q", w.Job.Queue)
			require.Equal(t, 2026, w.RunAt.Year())
			require.EqualValues(t, len(`{"class":"Large","args":[0,""]}`)+600_000, w.JobSize)
			if int64(len(w.Job.Raw)) < w.JobSize {
				cut++
				require.Empty(t, w.Job.Args)
			}
		}
		assert.Equal(t, 8, cut, "4 MB are read whole each time")
		for _, q := range snap.Queues {
			require.Equal(t, "Large", q.Next.Class, q.Queue)
			require.Greater(t, q.NextSize, int64(600_000))
		}
	})
}
