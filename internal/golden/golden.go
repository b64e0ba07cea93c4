// Package golden has recordings of what Ruby Resque 3.0.0 writes to Redis, and
// functions to compare Go's writes with them. Each file in core/ is a scenario.
package golden

import (
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"
)

//go:embed core/*.json
var core embed.FS

// Scenario is one recording.
type Scenario struct {
	Name     string           `json:"scenario"`
	About    string           `json:"about"`
	Commands [][]string       `json:"commands"` // as MONITOR showed them, in order
	Keyspace map[string]Value `json:"keyspace"` // at the end
	Result   json.RawMessage  `json:"result"`
	Raised   string           `json:"raised"`
}

// Value is the type of a key and its content: a string, the items of a list, the
// sorted members of a set, the fields of a hash, or the members of a sorted set with
// their scores.
type Value struct {
	Type  string `json:"type"`
	Value any    `json:"value"`
}

// Load returns the recording of a scenario.
func Load(t testing.TB, name string) Scenario {
	t.Helper()
	text, err := core.ReadFile("core/" + name + ".json")
	require.NoError(t, err)
	var s Scenario
	require.NoError(t, json.Unmarshal(text, &s))
	return s
}

// Names returns the names of the recorded scenarios.
func Names(t testing.TB) []string {
	t.Helper()
	files, err := core.ReadDir("core")
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".json"))
	}
	return names
}

// Dump returns the keyspace of c's database in the form of a recording, with
// placeholders for values that differ between runs.
func Dump(t testing.TB, c redis.Conn) map[string]Value {
	t.Helper()
	keys, err := redis.Strings(c.Do("KEYS", "*"))
	require.NoError(t, err)
	space := map[string]Value{}
	for _, key := range keys {
		kind, err := redis.String(c.Do("TYPE", key))
		require.NoError(t, err)
		space[Clean(key)] = Value{kind, dump(t, c, kind, key)}
	}
	return space
}

func dump(t testing.TB, c redis.Conn, kind, key string) any {
	t.Helper()
	switch kind {
	case "string":
		text, err := redis.String(c.Do("GET", key))
		require.NoError(t, err)
		return Clean(text)
	case "list":
		return cleanAll(t)(redis.Strings(c.Do("LRANGE", key, 0, -1)))
	case "set":
		members := cleanAll(t)(redis.Strings(c.Do("SMEMBERS", key)))
		slices.SortFunc(members, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		return members
	case "hash":
		fields, err := redis.StringMap(c.Do("HGETALL", key))
		require.NoError(t, err)
		cleaned := map[string]any{}
		for k, v := range fields {
			cleaned[Clean(k)] = Clean(v)
		}
		return cleaned
	case "zset":
		pairs, err := redis.Strings(c.Do("ZRANGE", key, 0, -1, "WITHSCORES"))
		require.NoError(t, err)
		members := []any{}
		for pair := range slices.Chunk(pairs, 2) {
			members = append(members, []any{pair[0], pair[1]})
		}
		return members
	default:
		require.Fail(t, "key has a type that Resque does not use", "%s %s", kind, key)
		return nil
	}
}

func cleanAll(t testing.TB) func(values []string, err error) []any {
	t.Helper()
	return func(values []string, err error) []any {
		t.Helper()
		require.NoError(t, err)
		cleaned := make([]any, len(values))
		for i, v := range values {
			cleaned[i] = Clean(v)
		}
		return cleaned
	}
}

// Clean replaces values that differ between runs by a recording's placeholders:
// host, pid, times and the frames of backtraces.
func Clean(text string) string {
	for _, c := range cleaners() {
		text = c.pattern.ReplaceAllString(text, c.with)
	}
	return text
}

type cleaner struct {
	pattern *regexp.Regexp
	with    string
}

func cleaners() []cleaner {
	return []cleaner{
		{regexp.MustCompile(`[\w.-]+~go:\d+(-\d+)?:`), "{HOST}:{PID}:"},
		{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "{ISO8601}"},
		{regexp.MustCompile(`\b\d{4}/\d\d/\d\d \d\d:\d\d:\d\d( [A-Z]+)?`), "{FAILED_AT}"},
		{regexp.MustCompile(`\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}`), "{TIME_TO_S}"},
		{regexp.MustCompile(`"backtrace":\["(?:[^"\\]|\\.)*"(?:,"(?:[^"\\]|\\.)*")*\]`), `"backtrace":["{FRAME}"]`},
	}
}

// Writes returns the commands that write, cleaned and sorted. commands are those
// of a recording or of redistest's Monitor. They are sorted because Go's scripts,
// whose commands MONITOR also shows, may write in another order than Ruby. Writes
// leaves out the lock for pruning, which only one side may take.
func Writes(commands [][]string) []string {
	var writes []string
	for _, c := range commands {
		name := strings.ToLower(c[0])
		switch name {
		case "sadd", "srem", "rpush", "lpush", "set", "incrby", "hset", "hdel", "lrem", "lset":
			if name == "set" && strings.Contains(c[1], "pruning_dead_workers_in_progress") {
				continue
			}
			writes = append(writes, Clean(fmt.Sprintf("%s %q", name, c[1:])))
		case "del":
			for _, key := range c[1:] {
				writes = append(writes, Clean(fmt.Sprintf("del %q", key)))
			}
		}
	}
	slices.Sort(writes)
	return writes
}
