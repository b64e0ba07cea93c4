//go:build unix

package worker_test

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/limit"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/resque/unique"
	"github.com/goresque/goresque/worker"
)

var loads = flag.String("loads", "", "regular expression that selects workloads of BenchmarkPolicies")

// policyLoad is a workload of BenchmarkPolicies. Its ratio is the processor time of base,
// another workload, divided by that of this one.
type policyLoad struct {
	name, base string
	settings   []resque.Setting
	queue      limit.Queue // if not zero, the limit of the queue
	fails      int64       // attempts of each job that fail
	delayed    bool
	enqueue    int // if not 0, jobs are only enqueued: so many at a time
}

func policyLoads() []policyLoad {
	return []policyLoad{
		{name: "plain"},
		{name: "limit-by-queue", base: "plain", queue: limit.Queue{Concurrency: 1000, Rate: limit.PerSecond(100_000), Burst: 100_000}},
		{name: "limit-by-key", base: "plain", settings: []resque.Setting{limit.Policy{Concurrency: 25, By: limit.Arg(1)}}},
		{name: "retry-success", base: "plain", settings: []resque.Setting{retry.Policy{Record: retry.LastOnly}}},
		{name: "retry-fails-once", base: "plain", settings: []resque.Setting{retry.Policy{Record: retry.LastOnly}}, fails: 1},
		{name: "unique", base: "plain", settings: []resque.Setting{unique.Policy{}}},
		{name: "Enqueue", enqueue: 1},
		{name: "Enqueue-unique", base: "Enqueue", enqueue: 1, settings: []resque.Setting{unique.Policy{}}},
		{name: "EnqueueAt", base: "Enqueue", enqueue: 1, delayed: true},
		{name: "EnqueueAll", enqueue: 1000},
		{name: "EnqueueAll-unique", base: "EnqueueAll", enqueue: 1000, settings: []resque.Setting{unique.Policy{}}},
		{name: "EnqueueAll-delayed", base: "EnqueueAll", enqueue: 1000, delayed: true},
	}
}

// BenchmarkPolicies compares the processor time of the worker and Redis for a job with and
// without each policy. An operation is one round of all workloads. It reports the medians of
// the ratios, each of workloads in the same round, and of the microseconds for an attempt.
//
//	go test ./worker -run '^$' -bench BenchmarkPolicies -benchtime 7x
func BenchmarkPolicies(b *testing.B) {
	jobs := 20_000
	if testing.Short() {
		jobs = 500
	}
	chosen := regexp.MustCompile(*loads)
	times, server := map[string][]float64{}, map[string][]float64{}
	for b.Loop() {
		for _, l := range policyLoads() {
			if chosen.MatchString(l.name) {
				all, ofServer := l.measure(b, jobs)
				times[l.name], server[l.name] = append(times[l.name], all), append(server[l.name], ofServer)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, l := range policyLoads() {
		own := times[l.name]
		if len(own) == 0 {
			continue
		}
		b.ReportMetric(middle(own), l.name+"-µs")
		b.ReportMetric(middle(server[l.name]), l.name+"-µs-of-Redis")
		if len(times[l.base]) > 0 {
			ratios := make([]float64, len(own))
			for i, base := range times[l.base] {
				ratios[i] = base / own[i]
			}
			b.ReportMetric(middle(ratios), l.name+"-ratio")
		}
	}
}

func middle(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// measure returns the microseconds of processor time for an attempt, and those of Redis.
func (l policyLoad) measure(b *testing.B, jobs int) (all, server float64) {
	b.Helper()
	s := redistest.StartReal(b)
	client, c := s.Client(b), s.Conn(b)
	failed := make([]atomic.Int64, jobs)
	exporter := resque.Define1[int]("Exporter", "exports", l.settings...)
	mux := resque.NewMux()
	mux.Handle(exporter.Handler(func(_ context.Context, id int) error {
		if l.fails > 0 && failed[id].Add(1) <= l.fails {
			return errors.New("a failure")
		}
		return nil
	}))
	list := make([]resque.Job, jobs)
	for id := range list {
		if list[id] = exporter.Job(id); l.delayed {
			list[id] = list[id].In(time.Hour)
		}
	}
	run := func() {
		for part := range slices.Chunk(list, max(l.enqueue, 1)) {
			var err error
			if l.enqueue == 1 {
				_, err = client.Enqueue(b.Context(), part[0])
			} else {
				_, err = client.EnqueueAll(b.Context(), part)
			}
			require.NoError(b, err)
		}
	}
	if l.enqueue == 0 {
		_, err := client.EnqueueAll(b.Context(), list)
		require.NoError(b, err)
		if l.queue != (limit.Queue{}) {
			require.NoError(b, limit.Set(b.Context(), client, "exports", l.queue))
		}
		w, err := worker.New(client, mux, worker.Config{
			Queues: []string{"exports"}, Concurrency: 25, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler),
		})
		require.NoError(b, err)
		run = func() { require.NoError(b, w.Run(b.Context())) }
	}
	own, serverBefore := processorTime(b, c)
	run()
	ownAfter, serverAfter := processorTime(b, c)
	attempts := float64(jobs * int(l.fails+1))
	server = float64((serverAfter - serverBefore).Microseconds()) / attempts
	return float64((ownAfter-own).Microseconds())/attempts + server, server
}

// processorTime returns that of this process and of Redis.
func processorTime(b *testing.B, c redis.Conn) (own, server time.Duration) {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	text, err := redis.String(c.Do("INFO", "cpu"))
	require.NoError(b, err)
	for _, name := range []string{"used_cpu_user:", "used_cpu_sys:"} {
		_, rest, _ := strings.Cut(text, name)
		line, _, _ := strings.Cut(rest, "\r")
		seconds, err := strconv.ParseFloat(line, 64)
		require.NoError(b, err, line)
		server += time.Duration(seconds * float64(time.Second))
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), server
}
