package golden_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
)

func TestEveryRecordingLoads(t *testing.T) {
	t.Parallel()
	names := golden.Names(t)
	assert.Len(t, names, 41)
	for _, name := range names {
		s := golden.Load(t, name)
		assert.Equal(t, name, s.Name)
		assert.NotEmpty(t, s.About, name)
		assert.NotEmpty(t, s.Result, name)
		for _, c := range s.Commands {
			assert.NotEmpty(t, c, name)
		}
		for key, v := range s.Keyspace {
			assert.NotEmpty(t, v.Type, "%s: %s", name, key)
			assert.NotNil(t, v.Value, "%s: %s", name, key)
		}
	}
}

// The recordings have been cleaned.
func TestCleanKeepsRecordings(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("core/*.json")
	require.NoError(t, err)
	require.Len(t, files, len(golden.Names(t)))
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, string(text), golden.Clean(string(text)), file)
		s := golden.Load(t, filepath.Base(file[:len(file)-len(".json")]))
		for _, c := range s.Commands {
			for _, word := range c {
				assert.Equal(t, word, golden.Clean(word), file)
			}
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"worker", "resque:worker:web-1.example~go:123:exports", "resque:worker:{HOST}:{PID}:exports"},
		{"slot", "web_1~go:123-4:a,b:started", "{HOST}:{PID}:a,b:started"},
		{"run_at", `"run_at":"2026-01-15T12:34:56.000000001Z"`, `"run_at":"{ISO8601}"`},
		{"heartbeat", "2026-01-15T12:34:56+00:00", "{ISO8601}"},
		{"failed_at", `"failed_at":"2026/01/15 12:34:56 UTC"`, `"failed_at":"{FAILED_AT}"`},
		{"started", "2026-01-15 12:34:56 +0100", "{TIME_TO_S}"},
		{"frame", "\"backtrace\":[\"a.go:1:in `f'\"]", `"backtrace":["{FRAME}"]`},
		{"frames of generic functions", "\"backtrace\":[\"a.go:1:in `f[...]'\",\"b \\\"x\\\"]\"],\"worker\":\"w\"", `"backtrace":["{FRAME}"],"worker":"w"`},
		{"no frames", `"backtrace":[]`, `"backtrace":[]`},
		{"nothing", `{"class":"Exporter","args":[1]}`, `{"class":"Exporter","args":[1]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := golden.Clean(c.text)
			assert.Equal(t, c.want, got)
			assert.Equal(t, got, golden.Clean(got))
		})
	}
}

func TestDump(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c := s.Conn(t)
		for _, command := range [][]any{
			{"SET", "s", "2026-01-15T12:34:56Z"}, {"RPUSH", "l", "b", "a"}, {"SADD", "set", "b", "a"}, {"HSET", "h", "x~go:1:q", "1"},
		} {
			_, err := c.Do(command[0].(string), command[1:]...)
			require.NoError(t, err)
		}
		want := `{"s":{"type":"string","value":"{ISO8601}"},"l":{"type":"list","value":["b","a"]},` +
			`"set":{"type":"set","value":["a","b"]},"h":{"type":"hash","value":{"{HOST}:{PID}:q":"1"}}}`
		got, err := json.Marshal(golden.Dump(t, c))
		require.NoError(t, err)
		assert.JSONEq(t, want, string(got))
	})
}

func TestWrites(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{
		`del "a"`, `del "b"`, `incrby ["stat" "1"]`, `rpush ["l" "{ISO8601}"]`, `sadd ["s" "x"]`,
	}, golden.Writes([][]string{
		{"sadd", "s", "x"},
		{"get", "x"},
		{"RPUSH", "l", "2026-01-15T12:34:56Z"},
		{"del", "b", "a"},
		{"time"},
		{"set", "resque:pruning_dead_workers_in_progress", "x", "EX", "60", "NX"},
		{"incrby", "stat", "1"},
	}))
}
