package prom_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/resque/prom"
	"github.com/goresque/goresque/worker"
)

// A program that enqueues and performs jobs, with metrics of these jobs and of Redis.
func Example() {
	server, err := embedded.Start("") // a real program uses a Redis server
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	rdb, err := resque.Open(resque.RedisConfig{URL: server.URL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rdb.Close()

	jobs := prom.NewJobs(prom.JobsConfig{})
	client, err := resque.New(rdb, resque.Config{EnqueueHooks: []resque.EnqueueMiddleware{jobs.Enqueue}})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := resque.NewMux()
	mux.Use(jobs.Perform)
	mux.Handle(exporter.Handler(func(context.Context, int64) error { return nil }))
	registry := prometheus.NewRegistry()
	registry.MustRegister(jobs, prom.NewRedis(client, prom.RedisConfig{}))
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{}) // mount it at /metrics

	ctx := context.Background()
	_, _ = client.Enqueue(ctx, exporter.Job(42))
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"exports"}, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := w.Run(ctx); err != nil {
		fmt.Println(err)
	}
	page := httptest.NewRecorder()
	metrics.ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	text, _ := io.ReadAll(page.Body)
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") && !strings.Contains(line, "seconds") {
			fmt.Print(line)
		}
	}
	// Output:
	// resque_delayed_times 0
	// resque_enqueues_total{class="Exporter",outcome="queued",queue="exports"} 1
	// resque_failed_total 0
	// resque_failures{list="failed"} 0
	// resque_performs_in_flight{class="Exporter",queue="exports"} 0
	// resque_performs_total{class="Exporter",outcome="succeeded",queue="exports"} 1
	// resque_processed_total 1
	// resque_queue_size{queue="exports"} 0
	// resque_up 1
	// resque_workers{state="idle"} 0
	// resque_workers{state="silent"} 0
	// resque_workers{state="stale"} 0
	// resque_workers{state="working"} 0
}
