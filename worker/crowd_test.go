package worker_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// Fifty workers, each with its own connections, are idle when one job is pushed. One
// performs it; the others look a few times and are idle again.
func TestOneJobWakesFewIdleWorkers(t *testing.T) {
	t.Parallel()
	const crowd = 50
	for name, waiting := range map[string]int{"key tracking": 0, "blocking moves": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t)
			c := s.Conn(t)
			var performed atomic.Int64
			mux := resque.NewMux()
			mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error {
				performed.Add(1)
				return nil
			})
			for range crowd {
				w := newWorker(t, s, mux, worker.Config{
					Queues: []string{"exports"}, PollInterval: time.Hour, MaxWaiting: waiting,
					HeartbeatInterval: time.Hour, PruneAfter: 2 * time.Hour, // no other commands, however long it takes
				})
				goRun(t, w)
				ready(t, w)
			}
			requireWaiting(t, s, waiting == 1, crowd)

			stop := s.Monitor(t)
			do(t, c, "RPUSH", "resque:queue:exports", `{"class":"Exporter","args":[]}`)
			eventually(t, func() bool { return number(t, c, "resque:stat:processed") == 1 }, "no worker performs it")
			requireWaiting(t, s, waiting == 1, crowd)
			woken := counted(stop())
			stop = s.Monitor(t)
			requireWaiting(t, s, waiting == 1, crowd)
			after := counted(stop())

			assert.EqualValues(t, 1, performed.Load())
			t.Logf("commands after one push to %d workers: %d, %v; then, while they wait: %d, %v",
				crowd, sum(woken), woken, sum(after), after)
			assert.LessOrEqual(t, sum(woken), 15*crowd, "a worker polls without waiting")
			assert.LessOrEqual(t, sum(after), 2*crowd, "a worker polls without waiting")
		})
	}
}

// requireWaiting waits until as many connections as wanted track keys or are
// blocked, and stay so for a while.
func requireWaiting(t *testing.T, s *redistest.Server, blocked bool, want int) {
	t.Helper()
	still := 0
	eventually(t, func() bool {
		n := census(t, s)
		if (blocked && n.blocked != want) || (!blocked && n.tracking != want) {
			still = 0
			return false
		}
		still++
		return still > 20
	}, fmt.Sprintf("not all %d wait", want))
}

// counted returns how often each command was performed, except by the test.
func counted(commands [][]string) map[string]int {
	n := map[string]int{}
	for _, words := range commands {
		if len(words) == 0 || slices.Contains([]string{"client", "get", "echo", "rpush", "monitor"}, words[0]) {
			continue
		}
		n[words[0]]++
	}
	return n
}

func sum(n map[string]int) int {
	total := 0
	for _, times := range n {
		total += times
	}
	return total
}
