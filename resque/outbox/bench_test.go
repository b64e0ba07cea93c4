package outbox

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
)

// BenchmarkRelay measures how many jobs a relay moves from SQLite to Redis.
func BenchmarkRelay(b *testing.B) {
	f := newFixture(b, sqliteSource(b))
	f.db.SetMaxOpenConns(1)
	jobs := make([]resque.Job, b.N)
	for i := range jobs {
		jobs[i] = exporter.Job(int64(i))
	}
	f.write(b, jobs...)
	b.ReportAllocs()
	b.ResetTimer()
	f.run(b, f.relay())
	f.empty(b)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

// BenchmarkLag measures the time from a commit until the job is in its queue, if the relay is
// told.
func BenchmarkLag(b *testing.B) {
	f := newFixture(b, sqliteSource(b))
	f.db.SetMaxOpenConns(1)
	r := f.relay()
	r.Interval = time.Hour
	f.run(b, r)
	c := f.server.Conn(b)
	var lags []time.Duration
	for b.Loop() {
		f.write(b, exporter.Job(1))
		committed := time.Now()
		r.Wake()
		_, err := c.Do("BLPOP", "resque:queue:exports", 60)
		require.NoError(b, err)
		lags = append(lags, time.Since(committed))
	}
	slices.Sort(lags)
	b.ReportMetric(float64(lags[len(lags)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(lags[len(lags)*99/100].Microseconds()), "p99-µs")
}
