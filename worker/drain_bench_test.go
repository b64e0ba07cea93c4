package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/batch"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/worker"
)

// BenchmarkDrain is a job's whole life, from its reserve to its recorded end,
// with its share of the worker's start and stop.
func BenchmarkDrain(b *testing.B) {
	for _, slots := range []int{1, 25, 100} {
		b.Run(fmt.Sprintf("slots=%d", slots), func(b *testing.B) {
			s := redistest.Start(b)
			mux := resque.NewMux()
			exporter := resque.Define1[int64]("Exporter", "exports")
			mux.Handle(exporter.Handler(func(context.Context, int64) error { return nil }))
			c := s.Conn(b)
			for i := range b.N {
				require.NoError(b, c.Send("RPUSH", "resque:queue:exports", fmt.Sprintf(`{"class":"Exporter","args":[%d]}`, i)))
			}
			_, err := c.Do("")
			require.NoError(b, err)
			w, err := worker.New(s.Client(b), mux, worker.Config{
				Queues: []string{"exports"}, Concurrency: slots, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler),
			})
			require.NoError(b, err)
			b.ReportAllocs()
			b.ResetTimer()
			require.NoError(b, w.Run(b.Context()))
		})
	}
}

// BenchmarkDrainBatch compares members of a batch with other jobs.
func BenchmarkDrainBatch(b *testing.B) {
	for _, member := range []bool{false, true} {
		b.Run(fmt.Sprintf("member=%v", member), func(b *testing.B) {
			s := redistest.Start(b)
			client := s.Client(b)
			exporter := resque.Define1[int64]("Exporter", "exports")
			jobs := make([]resque.Job, b.N)
			for i := range jobs {
				jobs[i] = exporter.Job(int64(i))
			}
			if member {
				all, err := batch.New(client, batch.Config{Success: resque.Job{Queue: "reports", Class: "Publish"}})
				require.NoError(b, err)
				require.NoError(b, all.Add(b.Context(), jobs...))
				require.NoError(b, all.Seal(b.Context()))
			} else {
				_, err := client.EnqueueAll(b.Context(), jobs)
				require.NoError(b, err)
			}
			mux := resque.NewMux()
			mux.Handle(exporter.Handler(func(context.Context, int64) error { return nil }))
			w, err := worker.New(client, mux, worker.Config{
				Queues: []string{"exports"}, Concurrency: 25, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler),
			})
			require.NoError(b, err)
			b.ReportAllocs()
			b.ResetTimer()
			require.NoError(b, w.Run(b.Context()))
		})
	}
}

// BenchmarkDrainRetry compares attempts of a class with and without a retry policy. An
// operation is one attempt.
func BenchmarkDrainRetry(b *testing.B) {
	for _, c := range []struct {
		name  string
		fails int64 // attempts of each job that fail
		set   []resque.Setting
	}{
		{"plain", 0, nil},
		{"success", 0, []resque.Setting{retry.Policy{Record: retry.LastOnly}}},
		{"each fails once", 1, []resque.Setting{retry.Policy{Record: retry.LastOnly}}},
		{"each fails thrice", 3, []resque.Setting{retry.Policy{Limit: 3, Record: retry.LastOnly}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := redistest.Start(b)
			jobs := b.N/int(c.fails+1) + 1
			failed := make([]atomic.Int64, jobs)
			boom := errors.New("boom")
			mux := resque.NewMux()
			exporter := resque.Define1[int64]("Exporter", "exports", c.set...)
			mux.Handle(exporter.Handler(func(_ context.Context, id int64) error {
				if c.fails > 0 && failed[id].Add(1) <= c.fails {
					return boom
				}
				return nil
			}))
			r := s.Conn(b)
			for i := range jobs {
				require.NoError(b, r.Send("RPUSH", "resque:queue:exports", fmt.Sprintf(`{"class":"Exporter","args":[%d]}`, i)))
			}
			_, err := r.Do("")
			require.NoError(b, err)
			w, err := worker.New(s.Client(b), mux, worker.Config{
				Queues: []string{"exports"}, Concurrency: 25, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler),
			})
			require.NoError(b, err)
			b.ReportAllocs()
			b.ResetTimer()
			require.NoError(b, w.Run(b.Context()))
		})
	}
}

// BenchmarkCluster compares a node of a cluster with a single server. Both have a replica,
// which costs the same. An operation is one job, from its push to its recorded end.
func BenchmarkCluster(b *testing.B) {
	for _, c := range []struct {
		name  string
		start func() string
	}{
		{"single", func() string {
			s := redistest.StartReal(b)
			redistest.StartReal(b, "--replicaof", "127.0.0.1", s.URL[strings.LastIndex(s.URL, ":")+1:])
			return s.URL
		}},
		{"cluster", func() string { return redistest.StartCluster(b).URL }},
	} {
		url := c.start()
		b.Run(c.name, func(b *testing.B) {
			rdb, err := resque.Open(resque.RedisConfig{URL: url})
			require.NoError(b, err)
			defer rdb.Close()
			client, err := resque.New(rdb, resque.Config{})
			require.NoError(b, err)
			exporter := resque.Define1[int64]("Exporter", "exports")
			jobs := make([]resque.Job, b.N)
			for i := range jobs {
				jobs[i] = exporter.Job(int64(i))
			}
			mux := resque.NewMux()
			mux.Handle(exporter.Handler(func(context.Context, int64) error { return nil }))
			w, err := worker.New(client, mux, worker.Config{
				Queues: []string{"exports"}, Concurrency: 25, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler),
			})
			require.NoError(b, err)
			b.ResetTimer()
			_, err = client.EnqueueAll(b.Context(), jobs)
			require.NoError(b, err)
			require.NoError(b, w.Run(b.Context()))
		})
	}
}
