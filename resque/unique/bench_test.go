package unique_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/unique"
)

// Compare enqueueing with and without a policy.
func BenchmarkEnqueue(b *testing.B) {
	for name, settings := range map[string][]resque.Setting{"plain": nil, "unique": {unique.Policy{}}} {
		j := resque.Define1[int]("J", "work", settings...)
		b.Run(name, func(b *testing.B) {
			client := redistest.StartReal(b).Client(b)
			for n := 0; b.Loop(); n++ {
				_, err := client.Enqueue(b.Context(), j.Job(n))
				require.NoError(b, err)
			}
		})
		b.Run(name+" in bulk", func(b *testing.B) {
			client := redistest.StartReal(b).Client(b)
			for n := 0; b.Loop(); n++ {
				jobs := make([]resque.Job, 1000)
				for i := range jobs {
					jobs[i] = j.Job(1000*n + i)
				}
				_, err := client.EnqueueAll(b.Context(), jobs)
				require.NoError(b, err)
			}
		})
	}
}
