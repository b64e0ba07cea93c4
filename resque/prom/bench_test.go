package prom_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/prom"
)

// BenchmarkPerform measures what counting adds to performing a job.
func BenchmarkPerform(b *testing.B) {
	for _, count := range []bool{false, true} {
		b.Run(fmt.Sprintf("counted=%v", count), func(b *testing.B) {
			mux := resque.NewMux()
			if count {
				mux.Use(prom.NewJobs(prom.JobsConfig{}).Perform)
			}
			mux.Handle(exporter.Handler(func(context.Context, int64) error { return nil }))
			payload := []byte(`{"class":"Exporter","args":[42]}`)
			b.ReportAllocs()
			for b.Loop() {
				job, err := resque.ParsePayload("exports", payload)
				if err != nil {
					b.Fatal(err)
				}
				if err := resque.Perform(b.Context(), mux, job); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEnqueue measures what counting adds to enqueueing a job, without Redis.
func BenchmarkEnqueue(b *testing.B) {
	for _, count := range []bool{false, true} {
		b.Run(fmt.Sprintf("counted=%v", count), func(b *testing.B) {
			enqueue := func(_ context.Context, job resque.Job) (resque.Receipt, error) {
				_, err := job.Encode()
				return resque.Receipt{State: resque.Queued}, err
			}
			if count {
				enqueue = prom.NewJobs(prom.JobsConfig{}).Enqueue(enqueue)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := enqueue(b.Context(), exporter.Job(42)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkScrape measures a scrape of n queues with one job each, and n workers.
func BenchmarkScrape(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("queues=%d", n), func(b *testing.B) {
			s := redistest.StartReal(b)
			c := s.Conn(b)
			for i := range n {
				queue := fmt.Sprintf("queue-%d", i)
				require.NoError(b, c.Send("SADD", "resque:queues", queue))
				require.NoError(b, c.Send("RPUSH", "resque:queue:"+queue, `{"class":"Exporter","args":[42],"enqueued_at":1700000000}`))
				require.NoError(b, c.Send("SADD", "resque:workers", fmt.Sprintf("host:%d:%s", i, queue)))
			}
			_, err := c.Do("")
			require.NoError(b, err)
			r := prometheus.NewRegistry()
			r.MustRegister(prom.NewRedis(s.Client(b), prom.RedisConfig{}))
			b.ReportAllocs()
			for b.Loop() {
				_, err := r.Gather()
				require.NoError(b, err)
			}
		})
	}
}
