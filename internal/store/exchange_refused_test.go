package store_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
)

// Whatever command Redis refuses for a while, no job is lost or taken twice, each is counted
// once, and all locks and places are free at the end.
func TestJobsSurviveARefusedCommand(t *testing.T) {
	t.Parallel()
	const jobs = 12
	for _, refused := range []string{"mget", "exists", "smismember", "hgetall", "hlen", "hset", "hdel", "lpop", "set", "mset", "del", "incrby", "llen", "get", "time", "lpush", "append"} {
		for _, limited := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/limited=%t", refused, limited), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, redistest.StartReal(t))
				f.do(t, "ACL", "SETUSER", "admin", "on", "nopass", "+@all", "~*", "&*")
				f.do(t, "AUTH", "admin", "")
				workers := names("w%d", 4)
				f.register(t, workers...)
				if limited {
					f.limit(t, "q", store.Limit{Concurrency: 9, Rate: 1000, Per: 1000, Burst: 1000})
				}
				for i := range jobs {
					job := args(strconv.Itoa(i))
					if i%3 == 2 { // longer than the scripts check
						job = args(`"` + strings.Repeat("x", 70_000) + strconv.Itoa(i) + `"`)
					}
					f.push(t, "q", job)
					f.do(t, "SET", "resque:lock:"+job, "true", "PX", 3_600_000)
					f.do(t, "SET", "resque:resque-retry:A:"+job, "0")
				}
				running, performed := map[string]store.Reserved{}, map[string]int{}
				call := func(must bool) {
					t.Helper()
					store.TryUsual(f.Store)
					var finished []store.Outcome
					var first, rest []string
					for _, w := range workers {
						r, ok := running[w]
						if !ok {
							rest = append(rest, w)
							continue
						}
						first = append(first, w)
						o := f.done(r)
						o.Queue = "q"
						o.Effects = append([]store.Effect{
							f.ForgetAttempts("A", string(r.Payload)),
							store.RubyLock{Key: "resque:lock:" + string(r.Payload), TTL: time.Hour, Text: "true"}.Freed(0),
							f.Free(store.KeyLimit{Name: "A"}, w),
						}, o.Effects...)
						finished = append(finished, o)
					}
					x, err := f.Exchange(t.Context(), []string{"q0", "q"}, finished, f.slots(append(first, rest...)...))
					if must {
						require.NoError(t, err)
					}
					if err != nil {
						return
					}
					for i, result := range x.Finished {
						if result.Err == nil {
							require.True(t, result.Ours)
							performed[string(running[first[i]].Payload)]++
							delete(running, first[i])
						}
					}
					for _, r := range x.Reserved {
						if r.Adopted && running[r.Worker].Payload != nil {
							continue
						}
						require.NotContains(t, running, r.Worker)
						running[r.Worker] = r
						f.do(t, "HSET", "resque:goresque:held:A", r.Worker, "x")
					}
				}
				for range 2 {
					call(true)
				}
				f.do(t, "ACL", "SETUSER", "default", "-"+refused)
				for range 2 {
					call(false)
				}
				f.do(t, "ACL", "SETUSER", "default", "+"+refused)
				for range 8 {
					call(true)
				}
				assert.Empty(t, running)
				assert.Len(t, performed, jobs)
				for job, n := range performed {
					assert.Equal(t, 1, n, job)
				}
				keys, err := redis.Strings(f.do(t, "KEYS", "*"), nil)
				require.NoError(t, err)
				for _, key := range keys {
					if refused == "hdel" && strings.Contains(key, "held:") { // as of jobs that died
						continue
					}
					if strings.Contains(key, "lock") || strings.Contains(key, "retry:") || strings.Contains(key, "held:") || slices.Contains(workers, strings.TrimPrefix(key, "resque:worker:")) || strings.Contains(key, "queue:") {
						t.Error(key)
					}
				}
				if refused != "incrby" { // an error of a counter keeps no job from ending
					assert.Equal(t, strconv.Itoa(jobs), f.get(t, "resque:stat:processed"))
				}
			})
		}
	}
}
