package doctor_test

import (
	"cmp"
	"flag"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque/doctor"
)

// To measure: go test ./resque/doctor -run ManyKeys -v -args -keys 1000000.
var (
	manyKeys = flag.Int("keys", 0, "how many keys TestManyKeys seeds")
	manyOf   = flag.String("kind", "usual", "which kind of manyKinds they are")
)

// manyKinds are scripts that write the i-th key, and how many of 100 keys each of them writes.
func manyKinds() map[string]map[string]int {
	return map[string]map[string]int{
		"usual": {
			`redis.call('SET', 'resque:resque-retry:Exporter:' .. redis.sha1hex('x' .. i), 1)`:                                                                                                         15,
			`redis.call('SET', 'resque:resque-retry:Mail:' .. redis.sha1hex('y' .. i), 1, 'EX', 86400)`:                                                                                                25,
			`redis.call('SADD', 'resque:timestamps:{"class":"Later","args":[' .. i .. '],"queue":"q"}', 'delayed:1')`:                                                                                  25,
			`redis.call('SET', 'resque:lock:Exporter-[' .. i .. ']', '4102444800')`:                                                                                                                    10,
			`redis.call('SET', 'resque:status:' .. redis.sha1hex('s' .. i), '{}', 'EX', 86400)`:                                                                                                        19,
			`redis.call('SET', 'resque:loners:queue:q:job:' .. redis.sha1hex('l' .. i), '1')`:                                                                                                          5,
			`local at = 4102444800 + i redis.call('RPUSH', 'resque:delayed:' .. at, '{"class":"Later","args":[' .. i .. '],"queue":"q"}') redis.call('ZADD', 'resque:delayed_queue_schedule', at, at)`: 1,
		},
		"long names": {
			`redis.call('SADD', 'resque:timestamps:{"class":"Later","args":[' .. i .. ',"' .. ('x'):rep(2000) .. '"],"queue":"q"}', 'delayed:1')`: 50,
			`redis.call('SET', 'other:' .. i .. ('x'):rep(i % 10 == 0 and 10000 or 10), 1)`:                                                       50,
		},
		"delayed": {
			`local at = 4102444800 + i redis.call('RPUSH', 'resque:delayed:' .. at, '{"class":"Later","args":[' .. i .. ',"' .. ('x'):rep(1000) .. '"],"queue":"q"}') redis.call('ZADD', 'resque:delayed_queue_schedule', at, at)`:     50,
			`redis.call('RPUSH', 'resque:failed', '{"failed_at":"2026/01/01 00:00:00 UTC","payload":{"class":"A","args":[' .. i .. ']},"exception":"E","error":"' .. ('x'):rep(2000) .. '","backtrace":[],"worker":"w","queue":"q"}')`: 50,
		},
		"queues": {
			`redis.call('SADD', 'resque:queues', 'q' .. i) redis.call('RPUSH', 'resque:queue:q' .. i, '{"class":"Exporter","args":[' .. i .. ']}')`: 100,
		},
	}
}

// TestManyKeys reports how long the checks of many keys take, and the longest commands.
func TestManyKeys(t *testing.T) {
	t.Parallel()
	if *manyKeys == 0 {
		t.Skip("-keys is 0")
	}
	s := redistest.StartReal(t, "--save", "3600 100000000", "--slowlog-max-len", "1000")
	c := s.Conn(t)
	do := doer(t, c)
	for script, share := range manyKinds()[*manyOf] {
		do("EVAL", "for i = 1, ARGV[1] do "+script+" end", 0, *manyKeys*share/100)
	}
	do("SADD", "resque:queues", "q")
	do("EVAL", `for i = 1, 40000 do redis.call('RPUSH', 'resque:queue:q', '{"class":"Exporter","args":[' .. i .. ']}') end`, 0)
	do("CONFIG", "SET", "slowlog-log-slower-than", 1000)
	do("SLOWLOG", "RESET")
	cpu := func() string {
		text, err := redis.String(c.Do("INFO", "cpu"))
		require.NoError(t, err)
		return regexp.MustCompile(`used_cpu_user:\S+`).FindString(text)
	}
	before := cpu()
	report, err := doctor.Check(t.Context(), s.Client(t), doctor.Options{})
	require.NoError(t, err)
	t.Logf("%d keys in %v; %d findings; Redis's processor before: %s, after: %s", report.Keys, report.Took.Round(time.Millisecond), len(report.Findings), before, cpu())
	for _, f := range report.Findings {
		t.Log(f.Code, f.Count)
	}
	slow, err := redis.SlowLogs(c.Do("SLOWLOG", "GET", 1000))
	require.NoError(t, err)
	slices.SortFunc(slow, func(a, b redis.SlowLog) int { return cmp.Compare(b.ExecutionTime, a.ExecutionTime) })
	t.Logf("%d commands took more than 1 ms; the longest:", len(slow))
	for _, e := range slow[:min(len(slow), 5)] {
		t.Logf("%v: %.150q", e.ExecutionTime, e.Args)
	}
}
