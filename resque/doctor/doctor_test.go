package doctor_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/doctor"
)

// found returns the codes of the findings, in order.
func found(t *testing.T, client *resque.Client) []string {
	t.Helper()
	report, err := doctor.Check(t.Context(), client, doctor.Options{})
	require.NoError(t, err)
	codes := []string{}
	for _, f := range report.Findings {
		assert.NotEmpty(t, f.Title+f.Cost+f.Fix, f.Code)
		assert.Contains(t, []doctor.Severity{doctor.Problem, doctor.Notice}, f.Severity)
		codes = append(codes, f.Code)
	}
	return codes
}

type do func(command string, args ...any)

func doer(t *testing.T, c redis.Conn) do {
	t.Helper()
	return func(command string, args ...any) {
		t.Helper()
		_, err := c.Do(command, args...)
		require.NoError(t, err)
	}
}

// many returns the arguments of a command that adds a value n times to the list of a key.
func many(key string, n int, value string) []any {
	return append([]any{key}, slices.Repeat([]any{value}, n)...)
}

// serve registers a live Ruby worker of all queues, so that jobs are not alone.
func serve(do do) {
	do("SADD", "resque:workers", "host:1:*")
	do("HSET", "resque:workers:heartbeat", "host:1:*", wire.FormatHeartbeat(time.Now()))
}

// Each damage of the keys is found, and nothing else. Fix removes what can be fixed, once.
func TestFindings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		seed func(do do)
		want []string
		left []string // after Fix
	}{
		"nothing": {seed: func(do) {}},
		"a healthy Resque": {seed: func(do do) {
			serve(do)
			do("SADD", "resque:queues", "exports")
			do("RPUSH", "resque:queue:exports", `{"class":"A","args":[]}`)
			do("RPUSH", "resque:failed", `{"failed_at":"2026/01/01 00:00:00 UTC","payload":{"class":"A","args":[]},"exception":"E","error":"e","backtrace":[],"worker":"w","queue":"q"}`)
			do("SET", "resque:stat:processed", 1)
			do("SET", "resque:goresque:any", 1)
			do("ZADD", "resque:delayed_queue_schedule", 4102444800, 4102444800)
			do("RPUSH", "resque:delayed:4102444800", `{"class":"A","args":[],"queue":"q"}`)
			do("SADD", `resque:timestamps:{"class":"A","args":[],"queue":"q"}`, "delayed:4102444800")
		}},
		"K01: another namespace": {seed: func(do do) {
			do("SADD", "other:queues", "exports")
			do("RPUSH", "other:queue:exports", "1")
		}, want: []string{"K01"}, left: []string{"K01"}},
		"K01: a namespace inside this one": {seed: func(do do) {
			do("SADD", "resque:production:queues", "exports")
			do("SADD", "resque:production:workers", "host:1:*")
			do("SET", "resque:production:stat:processed", "1")
		}, want: []string{"K01"}, left: []string{"K01"}},
		"a set of another program": {seed: func(do do) { do("SADD", "shop:queues", "cashier") }},
		"K03: many empty queues": {seed: func(do do) {
			for i := range 100 {
				do("SADD", "resque:queues", fmt.Sprint("tenant-", i))
			}
		}, want: []string{"K03"}, left: []string{"K03"}},
		"K02: a queue that is not listed": {
			seed: func(do do) { do("RPUSH", "resque:queue:exports", "1") }, want: []string{"K02"}, left: []string{"W05"},
		},
		"K04: a key of another type": {seed: func(do do) { do("SET", "resque:failed_queues", "x") }, want: []string{"K04"}, left: []string{"K04"}},
		"K05: a strange key":         {seed: func(do do) { do("SET", "resque:session:17", "x") }, want: []string{"K05"}, left: []string{"K05"}},
		"K06: a large job": {seed: func(do do) {
			serve(do)
			do("SADD", "resque:queues", "exports")
			do("RPUSH", "resque:queue:exports", `{"class":"A","args":["`+strings.Repeat("x", 2<<20)+`"]}`)
		}, want: []string{"K06"}, left: []string{"K06"}},
		"K06: a long list": {seed: func(do do) {
			serve(do)
			do("SADD", "resque:queues", "exports")
			do("RPUSH", many("resque:queue:exports", 100_000, `{"class":"A","args":[]}`)...)
		}, want: []string{"K06"}, left: []string{"K06"}},
		"W01: a silent worker": {seed: func(do do) {
			do("SADD", "resque:workers", "host:1:q")
			do("HSET", "resque:workers:heartbeat", "host:1:q", wire.FormatHeartbeat(time.Now().Add(-time.Hour)))
		}, want: []string{"W01"}, left: []string{"W01"}},
		"W01: a silent Go worker": {seed: func(do do) {
			do("SADD", "resque:workers", "host~go:1:q")
			do("HSET", "resque:workers:heartbeat", "host~go:1:q", wire.FormatHeartbeat(time.Now().Add(-time.Hour)))
		}, want: []string{"W01"}, left: []string{"W01"}},
		"W02: a heartbeat that is not a time": {seed: func(do do) {
			do("SADD", "resque:workers", "host:1:q")
			do("HSET", "resque:workers:heartbeat", "host:1:q", "yesterday")
		}, want: []string{"W02"}},
		"W03: an id of another library beside Ruby workers": {seed: func(do do) {
			serve(do)
			do("SADD", "resque:workers", "host:7-1:q", "other:7-1:q")
			do("HSET", "resque:workers:heartbeat", "host:7-1:q", wire.FormatHeartbeat(time.Now()))
		}, want: []string{"W03"}, left: []string{"W03"}},
		"W03: containers with the same host name": {seed: func(do do) {
			serve(do)
			do("SADD", "resque:workers", "host:1:q")
			do("HSET", "resque:workers:heartbeat", "host:1:q", wire.FormatHeartbeat(time.Now()))
		}, want: []string{"W03"}, left: []string{"W03"}},
		"W03: an id that Ruby cannot read": {seed: func(do do) { do("SADD", "resque:workers", "mine") }, want: []string{"W03"}, left: []string{"W03"}},
		"W04: Ruby workers of all queues": {seed: func(do do) {
			serve(do)
			do("SADD", "resque:workers", "host~go:1:q")
			do("HSET", "resque:workers:heartbeat", "host~go:1:q", wire.FormatHeartbeat(time.Now()))
		}, want: []string{"W04"}, left: []string{"W04"}},
		"W05: a queue without a worker": {seed: func(do do) {
			do("SADD", "resque:queues", "exports")
			do("RPUSH", "resque:queue:exports", "1")
		}, want: []string{"W05"}, left: []string{"W05"}},
		"W05: a queue that the only worker excludes": {seed: func(do do) {
			do("SADD", "resque:workers", "host~go:1:*")
			do("HSET", "resque:workers:heartbeat", "host~go:1:*", wire.FormatHeartbeat(time.Now()))
			do("HSET", "resque:goresque:intervals", "host~go:1:*", "60 300 !a,!export*")
			do("SADD", "resque:queues", "exports", "mail")
			do("RPUSH", "resque:queue:exports", "1")
			do("RPUSH", "resque:queue:mail", "1")
		}, want: []string{"W05"}, left: []string{"W05"}},
		"W06: a heartbeat that was left": {seed: func(do do) {
			do("HSET", "resque:workers:heartbeat", "host:1:q", wire.FormatHeartbeat(time.Now().Add(-time.Hour)))
		}, want: []string{"W06"}},
		"W07: all workers are paused": {seed: func(do do) { do("SET", "resque:pause-all-workers", "true") }, want: []string{"W07"}, left: []string{"W07"}},
		"D01: a due job without a scheduler": {seed: func(do do) {
			do("ZADD", "resque:delayed_queue_schedule", 1000, 1000)
			do("RPUSH", "resque:delayed:1000", `{"class":"A","args":[],"queue":"q"}`)
		}, want: []string{"D01"}, left: []string{"D01"}},
		"D02: a lock that does not expire": {
			seed: func(do do) { do("SET", "resque:resque:resque_scheduler_master_lock", "h:1") }, want: []string{"D02"}, left: []string{"D02"},
		},
		"D03: a lock of node-resque's scheduler": {seed: func(do do) { do("SET", "resque:resque_scheduler_master_lock", "h-1", "EX", 60) }, want: []string{"D03"}, left: []string{"D03"}},
		"D04: a second that is not listed": {
			seed: func(do do) { do("RPUSH", "resque:delayed:4102444800", `{"class":"A","args":[],"queue":"q"}`) }, want: []string{"D04"},
		},
		"D05: a second without jobs": {seed: func(do do) { do("ZADD", "resque:delayed_queue_schedule", 4102444800, 4102444800) }, want: []string{"D05"}},
		"D06: a delayed job that is not JSON": {seed: func(do do) {
			do("ZADD", "resque:delayed_queue_schedule", 4102444800, 4102444800)
			do("RPUSH", "resque:delayed:4102444800", `{"class`, `{"class":"A","args":[],"queue":"q"}`, "x", "x")
		}, want: []string{"D06"}},
		"D06: a delayed job without a queue": {seed: func(do do) {
			do("ZADD", "resque:delayed_queue_schedule", 4102444800, 4102444800)
			do("RPUSH", "resque:delayed:4102444800", `{"class":"A","args":[]}`)
		}, want: []string{"D06"}, left: []string{"D06"}},
		"D07: a master that moves nothing": {seed: func(do do) {
			do("SET", "resque:resque:resque_scheduler_master_lock", "h:1", "EX", 600)
			do("ZADD", "resque:delayed_queue_schedule", 1000, 1000)
			do("RPUSH", "resque:delayed:1000", `{"class":"A","args":[],"queue":"q"}`)
		}, want: []string{"D07"}, left: []string{"D07"}},
		"C01: an entry that cannot be read": {
			seed: func(do do) { do("HSET", "resque:persistent_schedules", "x", `{"cron":"yesterday","class":"A"}`) }, want: []string{"C01"}, left: []string{"C01"},
		},
		"C03: an entry that nothing runs": {
			seed: func(do do) {
				do("HSET", "resque:persistent_schedules", "x", `{"cron":"0 3 * * *","class":"A","queue":"q"}`)
			}, want: []string{"C03"}, left: []string{"C03"},
		},
		"C02: weeks that versions of fugit count differently": {seed: func(do do) {
			do("SET", "resque:resque:resque_scheduler_master_lock", "h:1", "EX", 600)
			do("HSET", "resque:persistent_schedules", "x", `{"cron":"0 3 * * tue%2","class":"A","queue":"q"}`)
		}, want: []string{"C02"}, left: []string{"C02"}},
		"C02: a line that only newer versions of fugit read": {seed: func(do do) {
			do("SET", "resque:resque:resque_scheduler_master_lock", "h:1", "EX", 600)
			do("HSET", "resque:persistent_schedules", "x", `{"cron":"@daily Asia/Tokyo","class":"A","queue":"q"}`, "y", `{"cron":"0 3 * * sat-tue/2","class":"A","queue":"q"}`)
		}, want: []string{"C02"}, left: []string{"C02"}},
		"T01: counters without a job": {seed: func(do do) {
			serve(do)
			do("SADD", "resque:queues", "q")
			do("RPUSH", "resque:queue:q", `{"class":"Busy","args":[1]}`, `{"class":"Own","args":[1]}`, `{"class":"Hash","args":[{"a":1}]}`)
			do("SET", "resque:resque-retry:Gone:1", 3)                                                 // no job of the class
			do("SET", "resque:resque-retry:Busy:da4b9237bacccdf19c0760cab7aec4a8359010b0", 1)          // of the arguments 2
			do("SET", "resque:resque-retry:Busy:356a192b7913b04c54574d18c28d46e6395428ab", 1)          // of the arguments 1
			do("SET", "resque:resque-retry:Own:mine", 1)                                               // an identifier of its own
			do("SET", "resque:resque-retry:Hash:da4b9237bacccdf19c0760cab7aec4a8359010b0", 1)          // of a hash
			do("SET", "resque:resque-retry:Late:da4b9237bacccdf19c0760cab7aec4a8359010b0", 1, "EX", 9) // it expires
		}, want: []string{"T01"}},
		"T02: a record of an attempt without a counter": {seed: func(do do) {
			do("SET", "resque:failure-resque-retry:A:1", "{}")
			do("SET", "resque:failure-resque-retry:B:1", "{}", "EX", 600) // Ruby's, until it expires
			do("SET", "resque:failure-resque-retry:C:1", "{}")
			do("SET", "resque:resque-retry:C:1", 1, "EX", 600)
		}, want: []string{"T02"}},
		"T03: locks without a job": {seed: func(do do) {
			serve(do)
			do("SADD", "resque:queues", "q")
			do("RPUSH", "resque:queue:q", `{"class":"Busy::Job","args":[1]}`)
			do("SET", `resque:lock:Gone-[1]`, 4102444800)
			do("SET", `resque:loner:lock:Gone:1`, "true")
			do("SET", `resque:queueing:resque_uniqueness:{"class":"Gone","args":[]}`, "x")
			do("SET", `resque:queueing:resque_uniqueness:{"class":"Busy::Job","args":[]}`, "x")
			do("SET", `resque:lock:Busy::Job-[1]`, 4102444800)
			do("SET", `resque:lock:Busy::Job:1`, 4102444800)
			do("SET", `resque:lock:my own`, 4102444800)
		}, want: []string{"T03"}},
		"K04: a queue that is not a list, and a lock": {seed: func(do do) {
			serve(do)
			do("SADD", "resque:queues", "q")
			do("SET", "resque:queue:q", "x")
			do("SET", "resque:lock:Now-[]", 4102444800)
		}, want: []string{"K04"}, left: []string{"K04"}},
		"a lock whose job is delayed or running": {seed: func(do do) {
			do("ZADD", "resque:delayed_queue_schedule", 4102444800, 4102444800)
			do("RPUSH", "resque:delayed:4102444800", `{"class":"Later","args":[],"queue":"q"}`)
			do("SADD", "resque:workers", "host:1:q")
			do("HSET", "resque:workers:heartbeat", "host:1:q", wire.FormatHeartbeat(time.Now()))
			do("SET", "resque:worker:host:1:q", `{"queue":"q","run_at":"2026-01-01T00:00:00Z","payload":{"class":"Now","args":[]}}`)
			do("SET", "resque:lock:Later-[]", 4102444800)
			do("SET", "resque:lock:Now-[]", 4102444800)
		}},
		"T04: a mark of a queue without jobs": {seed: func(do do) {
			serve(do)
			do("SADD", "resque:queues", "full", "empty")
			do("RPUSH", "resque:queue:full", `{"class":"A","args":[]}`)
			do("SET", "resque:loners:queue:full:job:1", 1)
			do("SET", "resque:loners:queue:empty:job:1", 1)
			do("SET", "resque:loners:queue:empty:job:2", 1, "EX", 60) // loner_lock_after_execution_period
		}, want: []string{"T04"}},
		"G01: places of jobs that no longer run": {seed: func(do do) {
			do("SADD", "resque:workers", "host~go:1:q")
			do("HSET", "resque:workers:heartbeat", "host~go:1:q", wire.FormatHeartbeat(time.Now()))
			do("SET", "resque:worker:host~go:1:q", `{"queue":"q","run_at":"a","payload":{"class":"A","args":[]}}`)
			do("HSET", "resque:goresque:limits", "q", `{"concurrency":2}`)
			do("HSET", "resque:goresque:held:q:q", "host~go:1:q", `{"queue":"q","run_at":"a",`, "host~go:2:q", `{"queue":"q","run_at":"b",`)
			do("HSET", "resque:goresque:held:c:A", "host~go:2:q", `{"queue":"q","run_at":"b",`)
		}, want: []string{"G01"}},
		"G02: batches that cannot complete": {seed: func(do do) {
			serve(do)
			do("SADD", "resque:queues", "q")
			do("RPUSH", "resque:queue:q", `{"class":"A","args":[],"batch":{"id":"healthy","n":0}}`, `{"class":"A","args":[],"batch":{"id":"short","n":0}}`)
			do("ZADD", "resque:goresque:batches", "inf", "healthy", "inf", "short", "inf", "fault", "inf", "over")
			do("HSET", "resque:goresque:batch:healthy", "created", 1, "sealed", 1, "next", 1, "total", 1, "pending", 1)
			do("HSET", "resque:goresque:batch:short", "created", 1, "sealed", 1, "next", 2, "total", 2, "pending", 2)
			do("HSET", "resque:goresque:batch:fault", "created", 1, "sealed", 1, "next", 2, "total", 2, "pending", 0, "fault", "a key has another type")
			do("HSET", "resque:goresque:batch:over", "created", 1, "sealed", 1, "next", 2, "total", 2, "pending", 0, "completed", 1)
		}, want: []string{"G02"}, left: []string{"G02"}},
		"G03: limits that are not applied": {seed: func(do do) {
			do("SET", "resque:worker:host~go:1:q", `{"queue":"q","run_at":"a","payload":{"class":"A","args":[]}}`)
			do("HSET", "resque:goresque:limits", "q", `{"concurrency`)
			do("HSET", "resque:goresque:held:q:old", "host~go:1:q", `{"queue":"q","run_at":"a",`)
		}, want: []string{"G03"}, left: []string{"G03"}},
		"G04: many removed entries": {
			seed: func(do do) { do("RPUSH", many("resque:goresque:trash:a", 100_000, "x")...) }, want: []string{"G04"}, left: []string{"G04"},
		},
		"F01: many failures": {seed: func(do do) {
			do("SADD", "resque:failed_queues", "mail_failed")
			do("RPUSH", many("resque:mail_failed", 10_000, "{}")...)
		}, want: []string{"F01"}, left: []string{"F01"}},
		"F02: a failure that is not JSON": {
			seed: func(do do) { do("RPUSH", "resque:failed", `{"`) }, want: []string{"F02"}, left: []string{"F02"},
		},
		"F03: failures of one kind only": {seed: func(do do) {
			for i := range 30 {
				do("RPUSH", "resque:failed", fmt.Sprintf(`{"failed_at":"2026/01/01 00:00:00 UTC","payload":{"class":"A","args":[%d]},"exception":"E","error":"e","backtrace":[],"worker":"w","queue":"q"}`, i))
			}
		}, want: []string{"F03"}, left: []string{"F03"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if code, _, ok := strings.Cut(name, ": "); ok {
				require.Equal(t, []string{code}, test.want)
			}
			redistest.Both(t, func(t *testing.T, s *redistest.Server) {
				c := s.Conn(t)
				if s.Real {
					doer(t, c)("CONFIG", "SET", "save", "3600 1", "slowlog-log-slower-than", -1) // or R02 is found, or R09 on a busy machine
				}
				test.seed(doer(t, c))
				client := s.Client(t)
				report, err := doctor.Check(t.Context(), client, doctor.Options{})
				require.NoError(t, err)
				var fixable, fixed []string
				for _, f := range report.Findings {
					if f.Fixable {
						fixable = append(fixable, f.Code)
					}
				}
				assert.ElementsMatch(t, test.want, found(t, client))
				assert.ElementsMatch(t, test.want, found(t, client), "Check changes nothing")

				opts := doctor.Options{}.WithRest(func(context.Context, time.Duration) bool { return true })
				done, err := doctor.Fix(t.Context(), client, opts)
				require.NoError(t, err)
				for _, f := range done {
					fixed = append(fixed, f.Code)
				}
				assert.Equal(t, fixable, fixed)
				assert.ElementsMatch(t, test.left, found(t, client))
				again, err := doctor.Fix(t.Context(), client, opts)
				require.NoError(t, err)
				assert.Empty(t, again)
			})
		})
	}
}

// Ruby's plugins take the lock of a job before they push the job. Fix does not remove such a
// lock, also if it is the first job of its queue. The end of its context ends the wait.
func TestFixWaitsForRubysPush(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		do, client := doer(t, s.Conn(t)), s.Client(t)
		serve(do)
		do("SET", "resque:lock:J-[1]", 4102444800)
		do("SET", "resque:lock:Gone-[1]", 4102444800)
		do("SET", "resque:loners:queue:q:job:1", 1)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := doctor.Fix(ctx, client, doctor.Options{}.WithRest(func(context.Context, time.Duration) bool {
			cancel()
			return false
		}))
		require.ErrorIs(t, err, context.Canceled)

		rests := 0
		opts := doctor.Options{}.WithRest(func(_ context.Context, d time.Duration) bool {
			rests++
			assert.Equal(t, 5*time.Second, d)
			do("SADD", "resque:queues", "q")
			do("RPUSH", "resque:queue:q", `{"class":"J","args":[1]}`)
			return true
		})
		fixed, err := doctor.Fix(t.Context(), client, opts)
		require.NoError(t, err)
		require.Len(t, fixed, 1)
		assert.Equal(t, "T03", fixed[0].Code)
		assert.EqualValues(t, 1, fixed[0].N)
		assert.Equal(t, 1, rests)
		left, err := redis.Strings(s.Conn(t).Do("KEYS", "resque:lo*:*"))
		require.NoError(t, err)
		assert.ElementsMatch(t, []string{"resque:lock:J-[1]", "resque:loners:queue:q:job:1"}, left)

		fixed, err = doctor.Fix(t.Context(), client, opts)
		require.NoError(t, err)
		assert.Empty(t, fixed)
		assert.Equal(t, 1, rests, "there is nothing to remove")
	})
}

// If it is not known which job a worker performs, no lock is taken for one without a job.
func TestRunningJobsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 3<<20)
	for name, records := range map[string][]string{
		"damaged": {`{"queue":"q","run_at":"2026-01-01T00:00:00Z","payl`},
		"large":   {`{"queue":"q","run_at":"a","payload":{"class":"A","args":["` + large + `"]}}`, `{"queue":"q","run_at":"a","payload":{"class":"Now","args":["` + large + `"]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) {
				do, client := doer(t, s.Conn(t)), s.Client(t)
				for i, record := range records {
					id := fmt.Sprintf("host:%d:q", i+1)
					do("SADD", "resque:workers", id)
					do("HSET", "resque:workers:heartbeat", id, wire.FormatHeartbeat(time.Now()))
					do("SET", "resque:worker:"+id, record)
				}
				do("SET", "resque:lock:Now-[]", 4102444800)
				assert.NotContains(t, found(t, client), "T03")
				fixed, err := doctor.Fix(t.Context(), client, doctor.Options{})
				require.NoError(t, err)
				assert.Empty(t, fixed)
				report, err := doctor.Check(t.Context(), client, doctor.Options{})
				require.NoError(t, err)
				var codes []string
				for _, u := range report.Unchecked {
					codes = append(codes, u.Codes...)
				}
				assert.Contains(t, codes, "T03")
			})
		})
	}
}
