//go:build unix

package worker_test

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/worker"
)

// BenchmarkProcessPerJob performs jobs that do nothing, each in a child process.
// kB-before and kB-after are the worker's resident memory.
func BenchmarkProcessPerJob(b *testing.B) {
	for _, children := range []int{1, 10} {
		b.Run(fmt.Sprintf("children=%d", children), func(b *testing.B) {
			s := redistest.Start(b)
			c := s.Conn(b)
			for range b.N {
				require.NoError(b, c.Send("RPUSH", "resque:queue:q", `{"class":"Nothing","args":[]}`))
			}
			_, err := c.Do("")
			require.NoError(b, err)
			w, err := worker.New(s.Client(b), forkJobs(), worker.Config{
				Queues: []string{"q"}, Concurrency: children, ForkPerJob: true, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler),
			})
			require.NoError(b, err)
			debug.FreeOSMemory()
			before := rss()
			b.ResetTimer()
			require.NoError(b, w.Run(b.Context()))
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
			b.ReportMetric(float64(before), "kB-before")
			b.ReportMetric(float64(rss()), "kB-after")
		})
	}
}
