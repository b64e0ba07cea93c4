package scheduler_test

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// BenchmarkEntries runs 10,000 entries for an hour, on the benchmark's clock: half of them
// each five minutes and half each hour. share-% is the time of a processor that an hour
// takes at most; it includes the waiting for Redis. MB is the memory of the entries.
// late-ms is how long the 1,000 entries of the fullest second take.
func BenchmarkEntries(b *testing.B) {
	entries := 10_000
	if testing.Short() {
		entries = 500
	}
	var all []scheduler.Entry
	for i := range entries {
		line := fmt.Sprintf("%d-59/5 * * * *", i%5)
		if i%2 == 0 {
			line = fmt.Sprintf("%d * * * * Europe/Stockholm", i%60)
		}
		all = append(all, scheduler.Entry{Name: fmt.Sprintf("entry-%05d", i), Cron: line, Job: resque.Job{Queue: "q", Class: "Exporter", Args: []any{i}}})
	}
	s := redistest.StartReal(b)
	before := heap()
	f := newScheduleFixture(b, s, scheduler.Config{Location: time.UTC, Entries: all, Logger: slog.New(slog.DiscardHandler)})
	now := noon()
	f.at(b, now, true)
	used := heap() - before
	var worst time.Duration
	for b.Loop() {
		for end := now.Add(time.Hour); now.Before(end); {
			began := time.Now()
			next := f.at(b, now, false)
			for !next.After(now) {
				next = f.at(b, now, false)
			}
			worst = max(worst, time.Since(began))
			now = next
		}
		f.c.do(b, "DEL", "resque:queue:q")
	}
	b.ReportMetric(100*float64(b.Elapsed())/float64(b.N)/float64(time.Hour), "share-%")
	b.ReportMetric(float64(used)/1e6, "MB")
	b.ReportMetric(float64(worst.Milliseconds()), "late-ms")
	memory, err := redis.Int(f.c.do(b, "MEMORY", "USAGE", "resque:goresque:schedule"), nil)
	require.NoError(b, err)
	b.ReportMetric(float64(memory)/1e6, "redis-MB")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
