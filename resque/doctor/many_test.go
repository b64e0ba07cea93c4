package doctor_test

import (
	"flag"
	"regexp"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque/doctor"
)

// To measure: go test ./resque/doctor -run ManyKeys -v -args -keys 1000000.
var manyKeys = flag.Int("keys", 0, "how many keys TestManyKeys seeds")

// TestManyKeys reports how long the checks of many keys take, and the longest commands.
func TestManyKeys(t *testing.T) {
	t.Parallel()
	if *manyKeys == 0 {
		t.Skip("-keys is 0")
	}
	s := redistest.StartReal(t, "--save", "3600 100000000", "--slowlog-max-len", "1000")
	c := s.Conn(t)
	do := doer(t, c)
	for script, share := range map[string]int{
		`redis.call('SET', 'resque:resque-retry:Exporter:' .. redis.sha1hex('x' .. i), 1)`:                                                                                                         15,
		`redis.call('SET', 'resque:resque-retry:Mail:' .. redis.sha1hex('y' .. i), 1, 'EX', 86400)`:                                                                                                25,
		`redis.call('SADD', 'resque:timestamps:{"class":"Later","args":[' .. i .. '],"queue":"q"}', 'delayed:1')`:                                                                                  25,
		`redis.call('SET', 'resque:lock:Exporter-[' .. i .. ']', '4102444800')`:                                                                                                                    10,
		`redis.call('SET', 'resque:status:' .. redis.sha1hex('s' .. i), '{}', 'EX', 86400)`:                                                                                                        19,
		`redis.call('SET', 'resque:loners:queue:q:job:' .. redis.sha1hex('l' .. i), '1')`:                                                                                                          5,
		`local at = 4102444800 + i redis.call('RPUSH', 'resque:delayed:' .. at, '{"class":"Later","args":[' .. i .. '],"queue":"q"}') redis.call('ZADD', 'resque:delayed_queue_schedule', at, at)`: 1,
	} {
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
	var longest time.Duration
	var args []string
	for _, e := range slow {
		if e.ExecutionTime > longest {
			longest, args = e.ExecutionTime, e.Args
		}
	}
	t.Logf("%d commands took more than 1 ms; the longest %v: %.100q", len(slow), longest, args)
}
