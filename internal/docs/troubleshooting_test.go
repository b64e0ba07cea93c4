package docs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/limit"
	"github.com/goresque/goresque/worker"
)

// deadWorker is a worker of the Redis of a test.
const deadWorker = "web1~go:4242:exports"

// trouble fills a Redis with what docs/troubleshooting.md is about: jobs that wait, a
// failure, a pause, a limit, and a dead worker with a job.
func trouble(t *testing.T) *redistest.Server {
	t.Helper()
	ctx := t.Context()
	s := redistest.StartEmbedded(t)
	client := s.Client(t)
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error { return errors.New("no such export") })
	exporter := resque.Job{Queue: "exports", Class: "Exporter", Args: []any{42}}
	_, err := client.Enqueue(ctx, exporter)
	require.NoError(t, err)
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"exports"}, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, w.Run(ctx))
	for range 3 {
		_, err = client.Enqueue(ctx, exporter)
		require.NoError(t, err)
	}
	require.NoError(t, limit.Set(ctx, client, "exports", limit.Queue{Concurrency: 5}))
	c, err := redis.DialURL(s.URL)
	require.NoError(t, err)
	defer func() { assert.NoError(t, c.Close()) }()
	for _, command := range [][]any{
		{"SADD", "resque:workers", deadWorker},
		{"SET", "resque:worker:" + deadWorker, `{"queue":"exports","run_at":"2026-01-15T12:34:56.000000001Z","payload":{"class":"Exporter","args":[7]}}`},
		{"HSET", "resque:workers:heartbeat", deadWorker, "2026-01-15T12:34:56Z"},
		{"SET", "resque:pause:queue:exports", "true"},
	} {
		_, err := c.Do(command[0].(string), command[1:]...) //nolint:forcetypeassert // it is a string
		require.NoError(t, err)
	}
	return s
}

// Each command of docs/troubleshooting.md works on a Redis with such a problem.
func TestTroubleshootingShowsCommandsThatWork(t *testing.T) {
	t.Parallel()
	app := goresque()
	ran := 0
	for _, code := range shownCode(read(t, "docs/troubleshooting.md")) {
		found := call.FindStringSubmatch(strings.TrimSpace(code))
		if found == nil {
			continue
		}
		line, _, _ := strings.Cut(found[1], "  #")
		line = strings.TrimSpace(strings.ReplaceAll(line, "…", ""))
		switch words := strings.Fields(line); {
		case words[0] == "scheduler", words[0] == "work", line == "schedule set":
			continue // the guide only names them
		}
		ran++
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			environ := []string{"REDIS_URL=" + trouble(t).URL}
			do := func(status int, args ...string) string {
				var stdout, stderr bytes.Buffer
				got := app.Run(t.Context(), args, environ, &stdout, &stderr)
				assert.Equal(t, status, got, "goresque %s: %s", strings.Join(args, " "), &stderr)
				return stdout.String()
			}
			do(status(line), fill(t, line, do)...)
		})
	}
	assert.Greater(t, ran, 15)
}

// status is the exit status of a command of the guide.
func status(line string) int {
	if line == "doctor" {
		return 1 // it finds the dead worker
	}
	return 0
}

// fill returns the arguments of a line, with the ids of the Redis that do uses instead of
// ID, TOKEN and CRON. A command that would ask is told not to.
func fill(t *testing.T, line string, do func(status int, args ...string) string) []string {
	t.Helper()
	failure := func() string {
		var row struct{ ID string }
		require.NoError(t, json.Unmarshal([]byte(strings.SplitN(do(0, "failed", "list", "--json"), "\n", 2)[0]), &row))
		return row.ID
	}
	words := strings.Fields(strings.ReplaceAll(line, "'", ""))
	for i, word := range words {
		switch {
		case word == "ID" && words[0] == "failed":
			words[i] = failure()
		case word == "ID":
			words[i] = deadWorker
		case word == "CRON":
			words[i] = "0 3 * * *"
		case word == "TOKEN":
			removed := do(0, "failed", "remove", failure(), "--keep", "1h", "--yes")
			words[i] = regexp.MustCompile(`restore (\S+)`).FindStringSubmatch(removed)[1]
		default:
		}
	}
	switch {
	case strings.HasPrefix(line, "failed remove"):
		words = append([]string{"failed", "remove", failure()}, append(words[2:], "--yes")...)
	case strings.Contains(line, "--all"):
		if words[len(words)-1] == "--class" {
			words = append(words, "Exporter")
		}
		words = append(words, "--yes")
	default:
	}
	return words
}

// The guide names findings of doctor that exist.
func TestTroubleshootingNamesFindingsOfDoctor(t *testing.T) {
	t.Parallel()
	finding := regexp.MustCompile(`\b[A-Z]\d\d\b`)
	known := finding.FindAllString(read(t, "docs/doctor.md"), -1)
	named := finding.FindAllString(read(t, "docs/troubleshooting.md"), -1)
	assert.NotEmpty(t, named)
	assert.Subset(t, known, named)
}
