package worker_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"
)

// quiet returns given, or a logger whose lines are shown if the test fails.
func quiet(t *testing.T, given *slog.Logger) *slog.Logger {
	t.Helper()
	return cmp.Or(given, slog.New(slog.NewTextHandler(t.Output(), nil)))
}

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// count returns how often text is in the log.
func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), text)
}

func (j *journal) said() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func decode(t *testing.T, text string, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), into), text)
}

// failureRecord is a record in the list of failures.
type failureRecord struct {
	Exception, Error, Worker, Queue string
	Backtrace                       []string
	Payload                         struct {
		Class string
		Args  []any
	}
}

func failures(t *testing.T, c redis.Conn) []failureRecord {
	t.Helper()
	texts, err := redis.Strings(c.Do("LRANGE", "resque:failed", 0, -1))
	require.NoError(t, err)
	records := make([]failureRecord, len(texts))
	for i, text := range texts {
		decode(t, text, &records[i])
	}
	return records
}
