package exchange

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/backoff"
)

// While jobs are brief, one goroutine performs them all. If a job takes long, another
// goroutine takes the next one, at once when that is usual.
func TestBriefJobsWakeNoOtherGoroutine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		took   time.Duration // each of the first jobs
		waited time.Duration // how long at most the other goroutine then waits for a job
	}{
		"brief": {brief / 2, 2 * alone},
		"long":  {2 * brief, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScript(none)
				for range 200 {
					s.answers = append(s.answers, jobs)
				}
				x := newExchange(s, Config{Queues: []string{"a"}, Slots: 2})
				other := make(chan time.Time, 1)
				go func() {
					if _, ok := x.Next(t.Context(), "1", nil); ok {
						other <- time.Now()
					}
				}()
				synctest.Wait()
				x.mu.Lock()
				x.pace.usual = c.took
				x.mu.Unlock()
				job, ok := x.Next(t.Context(), "2", nil)
				require.True(t, ok)
				for range 100 {
					backoff.Sleep(t.Context(), c.took)
					job, ok = x.Next(t.Context(), "", done(job))
					require.True(t, ok)
				}
				if c.took < brief {
					synctest.Wait()
					require.Empty(t, other)
				}
				began := time.Now()
				backoff.Sleep(t.Context(), 10*alone)
				require.LessOrEqual(t, (<-other).Sub(began), c.waited)
				x.mu.Lock()
				defer x.mu.Unlock()
				x.pace.usual = 0
				require.False(t, x.pace.brief() && c.took < brief, "there was a surprise")
				x.pace.given += wary + 1
				require.True(t, x.pace.brief())
			})
		})
	}
}
