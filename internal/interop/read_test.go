package interop_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
)

// Every method of Ruby's that reads is called on a keyspace that only Go has
// written, with waiting jobs, a running job and failures.
func TestRubyReadsWhatGoWrote(t *testing.T) {
	t.Parallel()
	server := start(t)
	w := busy(t, server, 1, "exports")
	enqueue(t, server,
		resque.Job{Queue: "waiting", Class: "Exporter", Args: []any{"<ü>\u2028", 1.0, nil}},
		resque.Job{Queue: "waiting", Class: "Mailer"},
		resque.Job{Queue: "waiting", Class: "Exporter", Args: []any{[]any{}, map[string]any{}}})
	id := w.IDs()[0]
	got := reply[map[string]any](t, ruby(t, server, "read.rb"))

	failures := got["failures"].(map[string]any)
	delete(got, "failures")
	requireRubysFailures(t, id, failures)

	job := got["job"].(map[string]any)
	runAt, err := time.Parse(time.RFC3339Nano, job["run_at"].(string))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), runAt, time.Minute)
	job["run_at"] = "now"
	for _, pair := range got["working"].([]any) {
		pair.([]any)[1].(map[string]any)["run_at"] = "now"
	}

	running := map[string]any{"queue": "exports", "run_at": "now", "payload": payload("Exporter", 4.0)}
	first := payload("Exporter", "<ü>\u2028", 1.0, nil)
	second := payload("Mailer")
	third := payload("Exporter", []any{}, map[string]any{})
	assert.Equal(t, map[string]any{
		"info": map[string]any{
			"pending": 3.0, "processed": 3.0, "queues": 2.0, "workers": 1.0, "working": 1.0, "failed": 2.0,
		},
		"queues":  []any{"exports", "waiting"},
		"sizes":   map[string]any{"exports": 0.0, "waiting": 3.0},
		"samples": map[string]any{"waiting": map[string]any{"size": 3.0, "samples": []any{first, second}}},
		"keys": []any{
			"failed", "queue:waiting", "queues", "stat:failed", "stat:failed:" + id, "stat:processed", "stat:processed:" + id,
			"worker:" + id, "worker:" + id + ":started", "workers", "workers:heartbeat",
		},
		"size":       []any{3.0, 3.0, 0.0},
		"peek":       []any{first, []any{second, third}, []any{third}, nil, []any{}},
		"workers":    []any{id},
		"working":    []any{[]any{id, running}},
		"found":      []any{id, id, true, nil},
		"exists":     []any{true, false},
		"worker":     []any{"working", true, false, 3.0, 2.0, []any{"exports"}, false},
		"job":        running,
		"heartbeats": []any{id},
		"stats":      []any{3.0, 2.0, 3.0, 0.0},
	}, got)
}

// requireRubysFailures checks what Ruby reads of the two failures of busy.
func requireRubysFailures(t *testing.T, id string, got map[string]any) {
	t.Helper()
	one := map[string]any{
		"failed_at": "now", "payload": payload("Exporter", 2.0), "exception": "errors.errorString",
		"error": "no export 2", "backtrace": []any{}, "worker": id, "queue": "exports",
	}
	other := map[string]any{
		"failed_at": "now", "payload": payload("Exporter", 3.0), "exception": "PanicError",
		"error": "panic: no export 3", "backtrace": "frames", "worker": id, "queue": "exports",
	}
	all := append([]any{got["first"]}, got["all"].([]any)...)
	for _, f := range all {
		failure := f.(map[string]any)
		failedAt, err := time.Parse("2006/01/02 15:04:05 MST", failure["failed_at"].(string))
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now(), failedAt, time.Minute)
		failure["failed_at"] = "now"
		frames := failure["backtrace"].([]any)
		for _, frame := range frames {
			assert.Regexp(t, regexp.MustCompile("^.+:\\d+:in `.+'$"), frame, "must have the form of Ruby's frames")
		}
		if len(frames) > 0 {
			failure["backtrace"] = "frames"
		}
	}
	none := []any{}
	newest, oldest := []any{1.0, "panic: no export 3"}, []any{0.0, "no export 2"}
	assert.Equal(t, map[string]any{
		"count":  []any{2.0, 2.0, 0.0},
		"queues": []any{"failed"},
		"all":    []any{one, other},
		"first":  one,
		"each":   []any{[]any{newest, oldest}, []any{oldest, newest}, []any{newest}, []any{newest}, none},
	}, got)
}

// payload returns a payload as Ruby decodes it.
func payload(class string, args ...any) map[string]any {
	return map[string]any{"class": class, "args": append([]any{}, args...)}
}
