package golden

import (
	"bytes"
	"embed"
	"encoding/json"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"
)

//go:embed family/*.jsonl
var family embed.FS

// Recording is what a library around Resque did in one scenario.
type Recording struct {
	Name       string           `json:"scenario"`
	Call       string           `json:"call"` // in Ruby
	Now        time.Time        `json:"now"`
	Commands   [][]string       `json:"commands"`
	KeysBefore map[string]Value `json:"keys_before"`
	KeysAfter  map[string]Value `json:"keys_after"`
	KeysWhile  map[string]Value `json:"keys_while_performing"` // only those of the library
	TTLs       map[string]int   `json:"-"`                     // seconds, of KeysAfter; -1 for keys that do not expire
	Returns    json.RawMessage  `json:"returns"`
	RufusJobs  map[string]struct {
		Original string `json:"original"`
	} `json:"rufus_job"` // that a schedule became
	Raises *struct {
		Class   string `json:"class"`
		Message string `json:"message"`
	} `json:"raises"`
}

// Family returns the recordings of a library, in their order.
func Family(t testing.TB, library string) []Recording {
	t.Helper()
	text, err := family.ReadFile("family/" + library + ".jsonl")
	require.NoError(t, err)
	var all []Recording
	for line := range bytes.Lines(text) {
		var r Recording
		require.NoError(t, json.Unmarshal(line, &r), "%s", line)
		var after struct {
			Keys map[string]struct{ TTL int } `json:"keys_after"`
		}
		require.NoError(t, json.Unmarshal(line, &after), "%s", line)
		r.TTLs = map[string]int{}
		for key, value := range after.Keys {
			r.TTLs[key] = value.TTL
		}
		all = append(all, r)
	}
	require.NotEmpty(t, all)
	return all
}

// Pushed returns the payloads that a recording pushed to queues or delayed lists.
func (r Recording) Pushed() (payloads []string) {
	for _, c := range r.Commands {
		if c[0] == "RPUSH" || c[0] == "LPUSH" {
			payloads = append(payloads, c[2])
		}
	}
	return payloads
}

// Restore writes the keys that a recording had before it.
func Restore(t testing.TB, c redis.Conn, keys map[string]Value) {
	t.Helper()
	for key, v := range keys {
		var err error
		switch v.Type {
		case "string":
			_, err = c.Do("SET", key, v.Value)
		case "list":
			_, err = c.Do("RPUSH", redis.Args{key}.AddFlat(v.Value)...)
		case "set":
			_, err = c.Do("SADD", redis.Args{key}.AddFlat(v.Value)...)
		case "zset":
			for _, pair := range v.Value.([]any) {
				_, err = c.Do("ZADD", key, pair.([]any)[1], pair.([]any)[0])
			}
		}
		require.NoError(t, err)
	}
}

// Popped returns the payload that was in the queue before the recording. There
// must be one queue with one payload.
func (r Recording) Popped(t testing.TB) string {
	t.Helper()
	for _, v := range r.KeysBefore {
		if v.Type == "list" {
			items := v.Value.([]any)
			require.Len(t, items, 1)
			return items[0].(string)
		}
	}
	require.Fail(t, "the recording has no queue", r.Name)
	return ""
}

// RetryKey is a recorded key of the attempts of a job.
type RetryKey struct {
	Class      string            `json:"class"`
	Args       []json.RawMessage `json:"args"`
	Joined     string            `json:"joined"`
	Key        string            `json:"key"`
	FailureKey string            `json:"failure_key"`
}

// RetryKeys returns the keys that resque-retry has for jobs with various arguments.
func RetryKeys(t testing.TB) []RetryKey {
	t.Helper()
	text, err := family.ReadFile("family/retry_keys.jsonl")
	require.NoError(t, err)
	var all []RetryKey
	for line := range bytes.Lines(text) {
		var k RetryKey
		require.NoError(t, json.Unmarshal(line, &k), "%s", line)
		all = append(all, k)
	}
	return all
}

// LockKey is a job of a class, and the keys that a lock plugin makes from it.
type LockKey struct {
	Args     []json.RawMessage `json:"args"`
	Key      string            `json:"key"`
	LonerKey string            `json:"loner_key"`
}

// LockKeys returns the keys that a lock plugin made.
func LockKeys(t testing.TB, plugin string) (keys []LockKey) {
	t.Helper()
	text, err := family.ReadFile("family/lock-" + plugin + "-keys.jsonl")
	require.NoError(t, err)
	for line := range bytes.Lines(text) {
		var k LockKey
		require.NoError(t, json.Unmarshal(line, &k), "%s", line)
		keys = append(keys, k)
	}
	return keys
}
