package store_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// newFilledQueue returns a fixture and a function that refills queue q to at least n
// jobs.
func newFilledQueue(b *testing.B, workers []string) (f fixture, refill func(n int)) {
	b.Helper()
	f = newFixture(b, redistest.StartReal(b))
	f.register(b, workers...)
	return f, func(n int) {
		have, err := redis.Int(f.redis.Do("LLEN", "resque:queue:q"))
		require.NoError(b, err)
		if have >= n {
			return
		}
		args := []any{"resque:queue:q"}
		for i := range 100_000 {
			args = append(args, `{"class":"Noop","args":[`+strconv.Itoa(i)+`]}`)
		}
		f.do(b, "RPUSH", args...)
	}
}

// BenchmarkReserveAndFinish makes one call for all slots: each finishes a job and
// gets the next one. An operation is a job.
func BenchmarkReserveAndFinish(b *testing.B) {
	for _, slots := range []int{1, 25, 100} {
		b.Run(fmt.Sprintf("slots=%d", slots), func(b *testing.B) {
			workers := names("host~go:1-%d:q", slots)
			f, refill := newFilledQueue(b, workers)
			var finished []store.Outcome
			f.do(b, "CONFIG", "RESETSTAT")
			b.ReportAllocs()
			for done := 0; done < b.N; done += slots {
				if done%50_000 < slots {
					b.StopTimer()
					refill(60_000)
					b.StartTimer()
				}
				free := make([]store.Slot, slots)
				for i, w := range workers {
					free[i] = store.Slot{Worker: w, RunAt: wire.FormatRunAt(time.Unix(1_700_000_000, f.stamp.Add(1)))}
				}
				x, err := f.Exchange(b.Context(), []string{"q"}, finished, free)
				require.NoError(b, err)
				require.Len(b, x.Reserved, slots)
				finished = finished[:0]
				for _, r := range x.Reserved {
					finished = append(finished, f.done(r))
				}
			}
			b.ReportMetric(inScripts(b, f)/float64(b.N), "script-µs/op")
		})
	}
}

// inScripts returns the microseconds that Redis has spent in scripts.
func inScripts(b *testing.B, f fixture) float64 {
	b.Helper()
	text, err := redis.String(f.redis.Do("INFO", "commandstats"))
	require.NoError(b, err)
	_, rest, found := strings.Cut(text, "cmdstat_evalsha:")
	require.True(b, found)
	_, rest, _ = strings.Cut(rest, "usec=")
	number, _, _ := strings.Cut(rest, ",")
	spent, err := strconv.ParseFloat(number, 64)
	require.NoError(b, err)
	return spent
}

// BenchmarkLook looks for jobs in empty queues, as an idle worker does at every
// interval.
func BenchmarkLook(b *testing.B) {
	for _, queues := range []int{1, 16, 1000} {
		b.Run(fmt.Sprintf("queues=%d", queues), func(b *testing.B) {
			workers := names("host~go:1-%d:q", 25)
			f := newFixture(b, redistest.StartReal(b))
			f.register(b, workers...)
			all := names("q%d", queues)
			b.ReportAllocs()
			for b.Loop() {
				_, err := f.Exchange(b.Context(), all, nil, f.slots(workers...))
				require.NoError(b, err)
			}
		})
	}
}

// BenchmarkPush pushes one job at a time.
func BenchmarkPush(b *testing.B) {
	f := newFixture(b, redistest.StartReal(b))
	payload := []byte(`{"class":"Noop","args":[1]}`)
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, f.Push(b.Context(), "q", payload))
	}
}

// BenchmarkReserveAndFinishByALimit is BenchmarkReserveAndFinish for a queue with a limit.
func BenchmarkReserveAndFinishByALimit(b *testing.B) {
	const slots = 25
	workers := names("host~go:1-%d:q", slots)
	f, refill := newFilledQueue(b, workers)
	f.limit(b, "q", store.Limit{Concurrency: slots, Rate: 10_000_000, Per: 1000, Burst: 1_000_000})
	_, err := f.Exchange(b.Context(), []string{"q"}, nil, f.slots("unknown")) // the store learns of the limit
	require.NoError(b, err)
	var finished []store.Outcome
	f.do(b, "CONFIG", "RESETSTAT")
	b.ReportAllocs()
	for done := 0; done < b.N; done += slots {
		if done%50_000 < slots {
			b.StopTimer()
			refill(60_000)
			b.StartTimer()
		}
		x, err := f.Exchange(b.Context(), []string{"q"}, finished, f.slots(workers...))
		require.NoError(b, err)
		if x.More {
			continue
		}
		require.Len(b, x.Reserved, slots)
		finished = finished[:0]
		for _, r := range x.Reserved {
			finished = append(finished, store.Outcome{Worker: r.Worker, Queue: r.Queue, Guard: r.Guard, Effects: f.Processed(r.Worker)})
		}
	}
	b.ReportMetric(inScripts(b, f)/float64(b.N), "script-µs/op")
}
