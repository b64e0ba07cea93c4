package scheduler_test

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque/scheduler"
)

// quiet is a configuration without a log.
func quiet() scheduler.Config { return scheduler.Config{Logger: slog.New(slog.DiscardHandler)} }

// BenchmarkMove moves 100,000 due jobs of some number of seconds. It also reports how
// long the longest command blocked Redis, and how long another client waited for a PING
// at most. With -short there are 2,000 jobs.
func BenchmarkMove(b *testing.B) {
	jobs := 100_000
	if testing.Short() {
		jobs = 2000
	}
	for _, seconds := range []int{1, 1000, jobs} {
		b.Run(fmt.Sprintf("seconds=%d", seconds), func(b *testing.B) {
			s := redistest.StartReal(b)
			c := rdb{s.Conn(b)}
			longest, waited := 0.0, time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				c.do(b, "FLUSHALL")
				for i := range jobs {
					second := 1000 + i*seconds/jobs
					p := fmt.Sprintf(`{"class":"Exporter","args":[%d,"monthly"],"queue":"exports"}`, i)
					require.NoError(b, c.Send("RPUSH", fmt.Sprint("resque:delayed:", second), p))
					require.NoError(b, c.Send("SADD", "resque:timestamps:"+p, fmt.Sprint("delayed:", second)))
					if i%1000 == 999 {
						c.do(b, "PING")
					}
				}
				for i := range seconds {
					require.NoError(b, c.Send("ZADD", "resque:delayed_queue_schedule", 1000+i, 1000+i))
				}
				c.do(b, "PING")
				c.do(b, "CONFIG", "SET", "slowlog-log-slower-than", 500)
				c.do(b, "CONFIG", "SET", "slowlog-max-len", 10_000)
				c.do(b, "SLOWLOG", "RESET")
				b.StartTimer()
				r := start(b, s, quiet())
				for n := 0; n < jobs; {
					at := time.Now()
					n = c.len(b, "resque:queue:exports")
					waited = max(waited, time.Since(at))
				}
				b.StopTimer()
				r.stop()
				longest = max(longest, c.longest(b))
				b.StartTimer()
			}
			b.ReportMetric(float64(jobs)*float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
			b.ReportMetric(longest, "longest-ms")
			b.ReportMetric(float64(waited.Microseconds())/1000, "waited-ms")
		})
	}
}

// longest returns the milliseconds of the slowest command in the slow log.
func (c rdb) longest(b *testing.B) float64 {
	b.Helper()
	entries, err := redis.Values(c.do(b, "SLOWLOG", "GET", 10_000), nil)
	require.NoError(b, err)
	most := int64(0)
	for _, e := range entries {
		most = max(most, e.([]any)[2].(int64))
	}
	return float64(most) / 1000
}

// BenchmarkLateness reports how long after the beginning of its second a job is in its
// queue, by Redis's clock. One operation is a second with one job.
func BenchmarkLateness(b *testing.B) {
	s := redistest.StartReal(b)
	c, told := rdb{s.Conn(b)}, s.Conn(b)
	r := start(b, s, quiet())
	until(b, "it is master", func() bool { return r.State().Master })
	var late []time.Duration
	for b.Loop() {
		due := c.now(b).Unix() + 1
		c.delay(b, due, mail1)
		_, err := redis.DoWithTimeout(told, patience, "BLPOP", "resque:queue:mail", 0)
		require.NoError(b, err)
		late = append(late, c.now(b).Sub(time.Unix(due, 0)))
	}
	slices.Sort(late)
	b.ReportMetric(float64(late[len(late)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(late[len(late)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkIdle reports how many commands per second an idle master and an idle second
// scheduler send. One operation is a second.
func BenchmarkIdle(b *testing.B) {
	for _, schedulers := range []int{1, 2} {
		b.Run(fmt.Sprintf("schedulers=%d", schedulers), func(b *testing.B) {
			s := redistest.StartReal(b)
			c := rdb{s.Conn(b)}
			c.delay(b, c.now(b).Unix()+10_000, mail1)
			for range schedulers {
				r := start(b, s, quiet())
				until(b, "it knows the master", func() bool { return r.State().Holder != "" })
			}
			stop := s.Monitor(b)
			for b.Loop() {
				<-time.After(time.Second)
			}
			sent := 0
			for _, command := range stop() {
				switch command[0] {
				case "evalsha", "eval", "exists", "ping", "PING", "EVALSHA", "EXISTS":
					sent++
				}
			}
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "commands/s")
		})
	}
}
