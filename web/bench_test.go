package web_test

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/web"
)

// large is a Redis with 100,000 failures of 2.4 KB and 1,000 busy workers.
const (
	largeFailures = 100_000
	largeWorkers  = 1_000
	largeRecord   = 2_400
)

func fillLarge(b *testing.B, server *redistest.Server, failures int) redis.Conn {
	b.Helper()
	c := server.Conn(b)
	at := time.Now().UTC()
	send := func(words ...any) {
		require.NoError(b, c.Send(words[0].(string), words[1:]...))
	}
	kinds := []string{"ExportJob", "MailJob", "ThumbnailJob", "RareJob"}
	for i := range failures {
		kind := kinds[i%3]
		if i%5000 == 7 {
			kind = kinds[3]
		}
		text := record(kind, fmt.Sprintf("[%d]", i), "RuntimeError", "boom", "exports", at.Add(-time.Duration(failures-i)*time.Second), "")
		text = strings.Replace(text, "boom", strings.Repeat("x", max(0, largeRecord-len(text))), 1)
		send("RPUSH", "resque:failed", text)
		if i%10_000 == 9_999 {
			_, err := c.Do("")
			require.NoError(b, err)
		}
	}
	for i := range largeWorkers {
		id := fmt.Sprintf("worker-%d.example.com:%d:exports,mail", i%40, 4000+i)
		send("SADD", "resque:workers", id)
		send("HSET", "resque:workers:heartbeat", id, at.Format(time.RFC3339))
		send("SET", "resque:worker:"+id, working("exports", "ExportJob", fmt.Sprintf(`[%d,"csv"]`, i), time.Duration(i)*time.Second))
	}
	for i := range 20 {
		queue := fmt.Sprintf("queue-%d", i)
		send("SADD", "resque:queues", queue)
		send("RPUSH", "resque:queue:"+queue, `{"class":"ExportJob","args":[1]}`)
	}
	_, err := c.Do("")
	require.NoError(b, err)
	return c
}

// bareReads makes the reads that a page needs at least, with redigo alone, in the
// same parts.
func bareReads(path string) [][]any {
	reads := [][]any{{"SMEMBERS", "resque:workers"}, {"HGETALL", "resque:workers:heartbeat"}}
	records := []any{"MGET"}
	for i := range largeWorkers {
		records = append(records, fmt.Sprintf("resque:worker:worker-%d.example.com:%d:exports,mail", i%40, 4000+i))
	}
	reads = append(reads, records)
	first, part := largeFailures, 1000
	switch {
	case strings.Contains(path, "count=1"), strings.Contains(path, "groups"), strings.Contains(path, "hours"):
		first = 0
	case strings.Contains(path, "class=ExportJob"):
		first = largeFailures - 2*part
	case strings.HasPrefix(path, "/failed"):
		first, part = largeFailures-25, 25
	}
	for ; first < largeFailures; first += part {
		reads = append(reads, []any{"LRANGE", "resque:failed", first, first + part - 1})
	}
	return reads
}

// BenchmarkPages measures pages over much data: the median time of a page and of its
// bare reads at the same time, its size, and the memory that it leaves behind. Each page
// reads the state of all workers again and counts the newest failures, which otherwise
// requests share.
//
// go test ./web -run xxx -bench Pages -benchtime 5x.
func BenchmarkPages(b *testing.B) {
	server := redistest.Start(b)
	c := fillLarge(b, server, largeFailures)
	for _, path := range []string{
		"/overview", "/working", "/workers", "/failed", "/failed?page=2000", "/failed?class=ExportJob", "/failed?class=RareJob", "/failed?q=nowhere",
		"/failed?class=ExportJob&count=1", "/failed?view=groups", "/failed?view=hours", "/stats/keys",
	} {
		b.Run(path, func(b *testing.B) {
			var plain, zipped int
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			dashboard := newDashboard(b, server, web.Config{})
			web.Impatiently(dashboard)
			var took, bare []time.Duration
			for b.Loop() {
				begun := time.Now()
				for _, words := range bareReads(path) {
					_, err := c.Do(words[0].(string), words[1:]...)
					require.NoError(b, err)
				}
				bare = append(bare, time.Since(begun))
				web.Forget(dashboard) // each page reads its own snapshot
				begun = time.Now()
				a := ask(b, dashboard, http.MethodGet, path, "")
				took = append(took, time.Since(begun))
				require.Equal(b, http.StatusOK, a.Code)
				plain = a.Body.Len()
			}
			runtime.ReadMemStats(&after)
			zipped = ask(b, dashboard, http.MethodGet, path, "", "Accept-Encoding: gzip").Body.Len()
			slices.Sort(took)
			slices.Sort(bare)
			page, reads := took[len(took)/2], bare[len(bare)/2]
			b.ReportMetric(float64(page.Microseconds())/1000, "ms/page")
			b.ReportMetric(float64(took[0].Microseconds())/1000, "ms/fastest")
			b.ReportMetric(float64(reads.Microseconds())/1000, "ms/bare")
			b.ReportMetric(float64(page)/float64(reads), "x-bare")
			b.ReportMetric(float64(plain)/1024, "KB/page")
			b.ReportMetric(float64(zipped)/1024, "KB/gzip")
			b.ReportMetric((float64(after.HeapSys)-float64(before.HeapSys))/(1<<20), "MB-grown")
		})
	}
}

// BenchmarkLargeJobs measures the overview while 1,000 workers perform jobs of 2 MB: the
// median time of the page, and how much the memory of the process grows.
//
// go test ./web -run xxx -bench LargeJobs -benchtime 20x.
func BenchmarkLargeJobs(b *testing.B) {
	server := redistest.StartReal(b, "--save", "")
	c := server.Conn(b)
	argument := strings.Repeat("x", 2<<20)
	workers := largeWorkers
	if testing.Short() {
		workers = 10 // 20 MB in Redis, not 2 GB
	}
	for i := range workers {
		id := fmt.Sprintf("worker-%d.example.com:%d:exports,mail", i%40, 4000+i)
		for _, words := range [][]any{
			{"SADD", "resque:workers", id},
			{"HSET", "resque:workers:heartbeat", id, time.Now().UTC().Format(time.RFC3339)},
			{"SET", "resque:worker:" + id, working("exports", "ExportJob", fmt.Sprintf(`[%d,"%s"]`, i, argument), time.Duration(i)*time.Second)},
		} {
			_, err := c.Do(words[0].(string), words[1:]...)
			require.NoError(b, err)
		}
	}
	dashboard := newDashboard(b, server, web.Config{})
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // sets VmHWM to the present memory
		b.Skip("needs Linux's /proc")
	}
	before := residentMemory(b)
	var took []time.Duration
	for b.Loop() {
		web.Forget(dashboard)
		begun := time.Now()
		require.Equal(b, http.StatusOK, ask(b, dashboard, http.MethodGet, "/overview", "").Code)
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/page")
	b.ReportMetric(float64(residentMemory(b)-before)/(1<<20), "MB-grown")
}

// residentMemory returns the most memory that the process has had, in bytes.
func residentMemory(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	require.NoError(b, err)
	return kb << 10
}

// BenchmarkBulk measures actions on many failures: the time until the answer, the
// time until the action is done, the longest that another command waits during it,
// and from Redis its longest command and the time of all commands.
//
// go test ./web -run xxx -bench Bulk -benchtime 1x -count 5.
func BenchmarkBulk(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		for _, path := range []string{"/failed/requeue/all", "/failed/clear_retried", "/failed/clear"} {
			b.Run(fmt.Sprintf("%s/%d", path[1:], n), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					server := redistest.Start(b)
					c := fillLarge(b, server, n)
					dashboard := newDashboard(b, server, web.Config{})
					web.Impatiently(dashboard)
					if path == "/failed/clear_retried" {
						finish(b, dashboard, "/failed/requeue/all")
					}
					atServer := serverTimes(b, c)
					waited := watch(b, server)
					b.StartTimer()
					begun := time.Now()
					answer := finish(b, dashboard, path)
					done := time.Since(begun)
					b.StopTimer()
					b.ReportMetric(float64(answer.Microseconds())/1000, "ms/answer")
					b.ReportMetric(float64(done.Microseconds())/1000, "ms/done")
					b.ReportMetric(float64(waited().Microseconds())/1000, "ms/blocked")
					longest, total := atServer()
					b.ReportMetric(float64(longest.Microseconds())/1000, "ms/longest")
					b.ReportMetric(float64(total.Microseconds())/1000, "ms/redis")
					b.StartTimer()
				}
			})
		}
	}
}

// serverTimes starts to record the server's longest command and the total time of all
// commands.
func serverTimes(b *testing.B, c redis.Conn) func() (longest, total time.Duration) {
	b.Helper()
	for _, words := range [][]any{{"SET", "slowlog-log-slower-than", 1000}, {"RESETSTAT"}} {
		_, err := c.Do("CONFIG", words...)
		require.NoError(b, err)
	}
	_, err := c.Do("SLOWLOG", "RESET")
	require.NoError(b, err)
	return func() (longest, total time.Duration) {
		logged, err := redis.SlowLogs(c.Do("SLOWLOG", "GET", -1))
		require.NoError(b, err)
		for _, l := range logged {
			longest = max(longest, l.ExecutionTime)
		}
		info, err := redis.String(c.Do("INFO", "commandstats"))
		require.NoError(b, err)
		for line := range strings.Lines(info) {
			name, stats, _ := strings.Cut(line, ":")
			if name == "cmdstat_evalsha" || name == "cmdstat_eval" || name == "cmdstat_lrange" {
				_, usec, _ := strings.Cut(stats, "usec=")
				usec, _, _ = strings.Cut(usec, ",")
				n, err := strconv.ParseInt(usec, 10, 64)
				require.NoError(b, err)
				total += time.Duration(n) * time.Microsecond
			}
		}
		return longest, total
	}
}

// finish starts an action and waits until it is done.
func finish(b *testing.B, dashboard *web.Dashboard, path string) (answer time.Duration) {
	b.Helper()
	begun := time.Now()
	a := ask(b, dashboard, http.MethodPost, path, "sure=1&count=10000&typed=10000", "Accept: application/json")
	answer = time.Since(begun)
	require.Less(b, a.Code, 300, "%s", a.Body)
	_, op, running := strings.Cut(a.Body.String(), `"operation":"`)
	if running {
		op, _, _ = strings.Cut(op, `"`)
		require.Eventually(b, func() bool {
			return strings.Contains(ask(b, dashboard, http.MethodGet, "/"+op+".json", "").Body.String(), `"Over": true`)
		}, waitLong, 2*time.Millisecond)
	}
	return answer
}

// watch pings Redis continuously. waited stops that and returns the longest wait.
func watch(b *testing.B, server *redistest.Server) (waited func() time.Duration) {
	b.Helper()
	c := server.Conn(b)
	stop, most := make(chan struct{}), make(chan time.Duration)
	go func() {
		longest := time.Duration(0)
		for {
			select {
			case <-stop:
				most <- longest
				return
			default:
			}
			begun := time.Now()
			_, _ = c.Do("PING")
			longest = max(longest, time.Since(begun))
		}
	}()
	return func() time.Duration {
		close(stop)
		return <-most
	}
}
