package resque_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// manyFailures fills a server with n failures of some 2.4 KB, every hundredth of
// class ImportJob.
func manyFailures(b *testing.B, s *redistest.Server, n int) {
	b.Helper()
	c := s.Conn(b)
	frame := `"/srv/app/releases/20260115/lib/exports/rows.rb:%d:in ` + "`block in write_rows'\""
	var frames []string
	for i := range 27 {
		frames = append(frames, fmt.Sprintf(frame, i))
	}
	backtrace := strings.Join(frames, ",")
	for i := range n {
		class := "ExportJob"
		if i%100 == 0 {
			class = "ImportJob"
		}
		require.NoError(b, c.Send("RPUSH", "resque:failed", fmt.Sprintf(
			`{"failed_at":"2026/01/15 12:%02d:%02d UTC","payload":{"class":"%s","args":[%d]},"exception":"IOError","error":"disk %d is full",`+
				`"backtrace":[%s],"worker":"web-1:1234:exports","queue":"exports"}`, i/60%60, i%60, class, i, i, backtrace)))
		if i%1000 == 999 {
			_, err := c.Do("")
			require.NoError(b, err)
		}
	}
	_, err := redis.Int(c.Do("LLEN", "resque:failed"))
	require.NoError(b, err)
}

// BenchmarkFailures is what a dashboard does over 100,000 failures: run it with
// -benchtime=20x.
func BenchmarkFailures(b *testing.B) {
	s := redistest.StartReal(b)
	manyFailures(b, s, 100_000)
	failures := s.Client(b).Failures()
	page := func(filter resque.FailureFilter) func(b *testing.B) {
		return func(b *testing.B) {
			b.Helper()
			for b.Loop() {
				n := 0
				for _, err := range failures.Newest(b.Context(), filter) {
					require.NoError(b, err)
					if n++; n == 25 {
						break
					}
				}
				require.Equal(b, 25, n)
			}
		}
	}
	b.Run("first page", page(resque.FailureFilter{}))
	b.Run("first page of a class that is every hundredth", page(resque.FailureFilter{Class: "ImportJob"}))
	b.Run("first page of a text that is rare", page(resque.FailureFilter{Text: "DISK 123"}))
	b.Run("count of a class", func(b *testing.B) {
		for b.Loop() {
			n, err := failures.Count(b.Context(), resque.FailureFilter{Class: "ExportJob"})
			require.NoError(b, err)
			require.EqualValues(b, 99_000, n)
		}
	})
	b.Run("groups", func(b *testing.B) {
		for b.Loop() {
			groups, err := failures.Groups(b.Context(), resque.FailureFilter{})
			require.NoError(b, err)
			require.Len(b, groups, 2)
		}
	})
}

// BenchmarkFailuresBulk acts on 100,000 failures, each time all of them.
func BenchmarkFailuresBulk(b *testing.B) {
	for name, act := range map[string]func(*testing.B, *resque.Failures) (resque.BulkProgress, error){
		"requeue all": func(b *testing.B, f *resque.Failures) (resque.BulkProgress, error) {
			b.Helper()
			return f.RequeueAll(b.Context(), resque.RequeueOptions{}, resque.FailureFilter{All: true}, nil)
		},
		"requeue and remove all": func(b *testing.B, f *resque.Failures) (resque.BulkProgress, error) {
			b.Helper()
			return f.RequeueAll(b.Context(), resque.RequeueOptions{Remove: true}, resque.FailureFilter{All: true}, nil)
		},
		"remove a class": func(b *testing.B, f *resque.Failures) (resque.BulkProgress, error) {
			b.Helper()
			return f.RemoveAll(b.Context(), resque.RemoveOptions{}, resque.FailureFilter{Class: "ImportJob"}, nil)
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := redistest.StartReal(b)
				manyFailures(b, s, 100_000)
				c := s.Conn(b)
				_, err := c.Do("CONFIG", "SET", "slowlog-log-slower-than", 300, "slowlog-max-len", 10_000)
				require.NoError(b, err)
				_, err = c.Do("SLOWLOG", "RESET")
				require.NoError(b, err)
				f := s.Client(b).Failures()
				b.StartTimer()
				p, err := act(b, f)
				b.StopTimer()
				require.NoError(b, err)
				b.ReportMetric(float64(p.Done), "done")
				b.ReportMetric(slowest(b, c), "slowest-ms")
				b.StartTimer()
			}
		})
	}
}

// slowest is how long the slowest call of a script took.
func slowest(b *testing.B, c redis.Conn) float64 {
	b.Helper()
	log, err := redis.Values(c.Do("SLOWLOG", "GET", 10_000))
	require.NoError(b, err)
	most := int64(0)
	for _, entry := range log {
		fields := entry.([]any)
		words := fields[3].([]any)
		if strings.HasPrefix(string(words[0].([]byte)), "EVAL") {
			most = max(most, fields[2].(int64))
		}
	}
	return float64(most) / 1000
}
