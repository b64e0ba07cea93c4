package doctor_test

import (
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
		}, want: []string{"W02"}, left: []string{"W02"}},
		"W04: Ruby workers of all queues": {seed: func(do do) {
			serve(do)
			do("SADD", "resque:workers", "host~go:1:q")
			do("HSET", "resque:workers:heartbeat", "host~go:1:q", wire.FormatHeartbeat(time.Now()))
		}, want: []string{"W04"}, left: []string{"W04"}},
		"W05: a queue without a worker": {seed: func(do do) {
			do("SADD", "resque:queues", "exports")
			do("RPUSH", "resque:queue:exports", "1")
		}, want: []string{"W05"}, left: []string{"W05"}},
		"W06: a heartbeat that was left": {seed: func(do do) {
			do("HSET", "resque:workers:heartbeat", "host:1:q", wire.FormatHeartbeat(time.Now().Add(-time.Hour)))
		}, want: []string{"W06"}},
		"W07: all are paused": {seed: func(do do) { do("SET", "resque:pause-all-workers", "true") }, want: []string{"W07"}, left: []string{"W07"}},
		"D01: no scheduler": {seed: func(do do) {
			do("ZADD", "resque:delayed_queue_schedule", 1000, 1000)
			do("RPUSH", "resque:delayed:1000", `{"class":"A","args":[],"queue":"q"}`)
		}, want: []string{"D01"}, left: []string{"D01"}},
		"D02: a lock for ever": {
			seed: func(do do) { do("SET", "resque:resque:resque_scheduler_master_lock", "h:1") }, want: []string{"D02"}, left: []string{"D02"},
		},
		"D03: node-resque": {seed: func(do do) { do("SET", "resque:resque_scheduler_master_lock", "h-1", "EX", 60) }, want: []string{"D03"}, left: []string{"D03"}},
		"D04: a second that is not listed": {
			seed: func(do do) { do("RPUSH", "resque:delayed:4102444800", `{"class":"A","args":[],"queue":"q"}`) }, want: []string{"D04"},
		},
		"D05: a second without jobs": {seed: func(do do) { do("ZADD", "resque:delayed_queue_schedule", 4102444800, 4102444800) }, want: []string{"D05"}},
		"D06: not JSON": {seed: func(do do) {
			do("ZADD", "resque:delayed_queue_schedule", 4102444800, 4102444800)
			do("RPUSH", "resque:delayed:4102444800", `{"class`)
		}, want: []string{"D06"}, left: []string{"D06"}},
		"D07: late": {seed: func(do do) {
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
		"T01: a counter for ever": {seed: func(do do) { do("SET", "resque:resque-retry:A:1", 3) }, want: []string{"T01"}, left: []string{"T01"}},
		"F02: a failure that is not JSON": {
			seed: func(do do) { do("RPUSH", "resque:failed", `{"`) }, want: []string{"F02"}, left: []string{"F02"},
		},
		"F03: one kind of failure": {seed: func(do do) {
			for i := range 30 {
				do("RPUSH", "resque:failed", fmt.Sprintf(`{"failed_at":"2026/01/01 00:00:00 UTC","payload":{"class":"A","args":[%d]},"exception":"E","error":"e","backtrace":[],"worker":"w","queue":"q"}`, i))
			}
		}, want: []string{"F03"}, left: []string{"F03"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) {
				c := s.Conn(t)
				if s.Real {
					doer(t, c)("CONFIG", "SET", "save", "3600 1", "slowlog-log-slower-than", -1) // or R02 is found, or R09 on a busy machine
				}
				test.seed(doer(t, c))
				client := s.Client(t)
				assert.ElementsMatch(t, test.want, found(t, client))
				assert.ElementsMatch(t, test.want, found(t, client), "Check changes nothing")

				_, err := doctor.Fix(t.Context(), client, doctor.Options{})
				require.NoError(t, err)
				assert.ElementsMatch(t, test.left, found(t, client))
				again, err := doctor.Fix(t.Context(), client, doctor.Options{})
				require.NoError(t, err)
				assert.Empty(t, again)
			})
		})
	}
}

// What is wrong with the server is found.
func TestFindingsAboutRedis(t *testing.T) {
	t.Parallel()
	for code, args := range map[string][]string{
		"R01": {"--save", "3600 1", "--maxmemory-policy", "allkeys-lru"},
		"R02": {"--save", ""},
		"R04": {"--save", "3600 1", "--maxmemory", "1100000"},
		"R07": {"--save", "3600 1", "--timeout", "10"},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t, args...)
			assert.Contains(t, found(t, s.Client(t)), code)
		})
	}
}

func TestSlowScriptsAreFound(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t, "--save", "3600 1")
	const script = `local function now() local t = redis.call('TIME'); return t[1] * 1000 + t[2] / 1000 end
		local began = now()
		while now() - began < 100 do end`
	doer(t, s.Conn(t))("EVAL", script, 1, "resque:x")
	assert.Contains(t, found(t, s.Client(t)), "R09")
}

// A user without rights gets the checks that are possible, and the report names the others.
func TestUncheckedIsNamed(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t, "--user", "default", "on", "nopass", "~*", "&*", "+@all", "-config", "-info", "-slowlog")
	report, err := doctor.Check(t.Context(), s.Client(t), doctor.Options{})
	require.NoError(t, err)
	assert.Empty(t, report.Findings)
	var codes []string
	for _, u := range report.Unchecked {
		assert.Contains(t, u.Reason, "NOPERM")
		codes = append(codes, u.Codes...)
	}
	slices.Sort(codes)
	assert.Equal(t, []string{"R01", "R02", "R03", "R04", "R05", "R07", "R09"}, codes)
}
