package store_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
)

// census returns all that Census reads, and the largest number of keys in one part.
func census(t *testing.T, f fixture, want func(name string) store.Wanted) (keys map[string]store.KeyInfo, others []string, largest int) {
	t.Helper()
	keys = map[string]store.KeyInfo{}
	others, err := f.Census(t.Context(), want, func(part []store.KeyInfo) bool {
		largest = max(largest, len(part))
		for _, k := range part {
			keys[k.Name] = k
		}
		return true
	})
	require.NoError(t, err)
	return keys, others, largest
}

func TestCensusReadsWhatIsWanted(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		long := "timestamps:" + strings.Repeat("x", 2000)
		f.do(t, "RPUSH", "resque:queue:a", 1, 2, 3)
		f.do(t, "RPUSH", "resque:queue:b", 1)
		f.do(t, "SET", "resque:queue:text", 1)
		f.do(t, "SET", "resque:lock:A", 1, "PX", 60_000)
		f.do(t, "SET", "resque:lock:B", 1)
		f.do(t, "SET", "resque:stat:processed", 1, "PX", 60_000)
		f.do(t, "SADD", "resque:"+long, 1)
		f.do(t, "SADD", "resque:queues", "a")
		f.do(t, "SADD", "other:queues", "a")
		f.do(t, "SADD", "resque:inside:queues", "a")
		f.do(t, "SET", "other:key", 1)
		keys, others, _ := census(t, f, func(name string) store.Wanted {
			return store.Wanted{TTL: strings.HasPrefix(name, "lock:"), Size: name != "queue:b"}
		})
		assert.ElementsMatch(t, []string{"other:queues", "resque:inside:queues"}, others)
		lock := keys["lock:A"]
		assert.Greater(t, lock.TTL, 50*time.Second)
		lock.TTL = 0
		keys["lock:A"] = lock
		name := func(name, kind string, size int64) store.KeyInfo {
			return store.KeyInfo{Name: name, NameSize: int64(len(name)), Type: kind, Size: size}
		}
		beginning := long[:1024-len("resque:")]
		assert.Equal(t, map[string]store.KeyInfo{
			"queue:a":        name("queue:a", "list", 3),
			"queue:b":        name("queue:b", "list", 0),
			"queue:text":     name("queue:text", "string", 0),
			"lock:A":         name("lock:A", "string", 0),
			"lock:B":         name("lock:B", "string", 0),
			"stat:processed": name("stat:processed", "string", 0),
			"queues":         name("queues", "set", 0),
			"inside:queues":  name("inside:queues", "set", 0),
			beginning:        {Name: beginning, NameSize: int64(len(long))},
		}, keys)
	})
}

func TestCensusEndsWhenItIsEnough(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.do(t, "EVAL", `for i = 1, 2000 do redis.call('SET', 'resque:lock:' .. i, 1) end`, 0)
		parts := 0
		_, err := f.Census(t.Context(), func(string) store.Wanted { return store.Wanted{} }, func([]store.KeyInfo) bool {
			parts++
			return false
		})
		require.NoError(t, err)
		assert.Equal(t, 1, parts)
	})
}

// One command of the census reads few keys, few bytes of names, and few keys of other
// programs, because Redis serves no other client in the meantime.
func TestCensusDoesLittleWorkInEachCommand(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		seed string
		n    int
		own  bool
		each float64 // bytes of a name, on average
	}{
		"short names":              {`redis.call('SET', 'resque:lock:' .. i, 1)`, 20_000, true, 15},
		"long names":               {`redis.call('SADD', 'resque:timestamps:' .. i .. ('x'):rep(3000), 1)`, 5_000, true, 3000},
		"a long name among others": {`redis.call('SET', 'resque:lock:' .. i .. (i % 500 == 0 and ('x'):rep(100000) or ''), 1)`, 20_000, true, 200},
		"keys of another program":  {`redis.call('SET', 'shop:' .. i, 1)`, 20_000, false, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, redistest.StartReal(t))
			f.do(t, "EVAL", "for i = 1, tonumber(ARGV[1]) do "+test.seed+" end", 0, test.n)
			stop := f.server.Monitor(t)
			keys, _, largest := census(t, f, func(string) store.Wanted { return store.Wanted{TTL: true} })
			if test.own {
				assert.Len(t, keys, test.n)
			}
			assert.LessOrEqual(t, largest, 600)
			var scripts, names int
			for _, words := range stop() {
				switch words[0] {
				case "eval", "evalsha":
					scripts, names = scripts+1, 0
				case "scan":
					count, err := strconv.Atoi(words[len(words)-1])
					require.NoError(t, err)
					names += count
				}
				assert.LessOrEqual(t, names, 600, "names that a command reads")
			}
			assert.GreaterOrEqual(t, float64(scripts), float64(test.n)*test.each/(1.5*(1<<20)), "each reads about 1 MB of names at most")
		})
	}
}
