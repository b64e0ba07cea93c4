package cli_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/internal/redistest"
)

func TestScheduleNextOfALineNeedsNoRedis(t *testing.T) {
	t.Parallel()
	environ := []string{"REDIS_URL=redis://127.0.0.1:1"}
	for want, args := range map[string][]string{
		"2026-03-28T02:30:00+01:00\n2026-03-30T02:30:00+02:00\n": {"30 2 * * * Europe/Stockholm", "-n", "2", "--from", "2026-03-27T12:00:00Z"},
		"2026-03-28T01:30:00Z\n":                                 {"30 2 * * * Europe/Stockholm", "-n", "1", "--from", "2026-03-27T12:00:00Z", "--utc"},
		`{"time":"2026-01-20T00:00:00Z"}` + "\n":                 {"0 0 * * tue%2 UTC", "-n", "1", "--from", "2026-01-15T00:00:00Z", "--monday-weeks", "--json"},
		"2026-01-27T00:00:00Z\n":                                 {"0 0 * * tue%2 UTC", "-n", "1", "--from", "2026-01-15T00:00:00Z"},
	} {
		assert.Equal(t, want, ok(t, environ, append([]string{"schedule", "next"}, args...)...))
	}
	assert.Equal(t, 3, strings.Count(ok(t, environ, "schedule", "next", "@daily"), "\n"))
	for want, args := range map[string][]string{
		`hours "25": write 0 to 23`: {"0 25 * * *"},
		"--from: want a time such":  {"@daily", "--from", "yesterday"},
		"--count is 0":              {"@daily", "-n", "0"},
	} {
		got := run(t, nil, environ, append([]string{"schedule", "next"}, args...)...)
		assert.Equal(t, 2, got.status, args)
		assert.Contains(t, got.stderr, want)
	}
}

func TestScheduleCheckNamesFileLineAndReason(t *testing.T) {
	t.Parallel()
	good, bad := filepath.Join(t.TempDir(), "good.yml"), filepath.Join(t.TempDir(), "bad.yml")
	require.NoError(t, os.WriteFile(good, []byte("a:\n  every: 1h\n"), 0o600))
	require.NoError(t, os.WriteFile(bad, []byte("a:\n  every: 30\nb:\n  cron: \"* * *\"\n"), 0o600))
	assert.Equal(t, good+": schedules: 1\n", ok(t, nil, "schedule", "check", good))
	got := run(t, nil, nil, "schedule", "check", good, bad)
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stdout, bad+`:2: schedule "a": every: 30 is a number`)
	assert.Contains(t, got.stdout, bad+`:4: schedule "b": cron: invalid cron line "* * *"`)
	assert.Contains(t, got.stderr, "mistakes: 2")
	got = run(t, nil, nil, "schedule", "check", "--json", bad)
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	require.Len(t, lines, 2)
	var first struct {
		File, Error string
		Line        int
	}
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
	assert.Equal(t, bad, first.File)
	assert.Equal(t, 2, first.Line)
	assert.Equal(t, 1, run(t, nil, nil, "schedule", "check", "none.yml").status)
	assert.Equal(t, 2, run(t, nil, nil, "schedule", "check").status)
}

func TestScheduleCommandsChangeSchedules(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL, "TZ=UTC"}
	assert.Equal(t, "None\n", ok(t, environ, "schedule", "list"))
	assert.Empty(t, ok(t, environ, "schedule", "list", "--json"))
	set := []string{"schedule", "set", "nightly", "--cron", "0 3 * * * UTC", "-q", "reports", "--description", "all <of> it", "Report", "7", "x"}
	assert.Equal(t, "schedule nightly: set\n", ok(t, environ, set...))
	assert.Equal(t, "schedule nightly: not changed\n", ok(t, environ, set...))
	assert.Equal(t, `{"schedule":"pulse","result":"set"}`+"\n", ok(t, environ, "schedule", "set", "pulse", "--every", "1h30m", "-q", "q", "Pulse", "--json"))

	list := ok(t, environ, "schedule", "list")
	assert.Contains(t, list, "nightly (0 3 * * * UTC): Report\n  next: ")
	assert.Contains(t, list, "T03:00:00Z, ")
	assert.Contains(t, list, "  all <of> it\npulse (every 1h30m): Pulse\n")
	var first scheduleLine
	require.NoError(t, json.Unmarshal([]byte(strings.SplitN(ok(t, environ, "schedule", "list", "--json"), "\n", 2)[0]), &first))
	assert.Equal(t, "nightly", first.Name)
	assert.Len(t, first.Next, 3)
	assert.JSONEq(t, `[7,"x"]`, string(first.Args))
	assert.Contains(t, ok(t, environ, "schedule", "next", "nightly", "-n", "1"), "T03:00:00Z")

	assert.Equal(t, `queued on reports: {"class":"Report","args":[7,"x"]}`+"\n", ok(t, environ, "schedule", "run", "nightly"))
	assert.Equal(t, "disabled schedule nightly\n", ok(t, environ, "schedule", "disable", "nightly"))
	assert.Contains(t, ok(t, environ, "schedule", "list"), "is switched off")
	assert.Equal(t, "enabled schedule nightly\n", ok(t, environ, "schedule", "enable", "nightly"))
	assert.Equal(t, "removed schedule nightly\nremoved schedule pulse\n", ok(t, environ, "schedule", "remove", "nightly", "pulse"))

	do(t, s, "HSET", "resque:persistent_schedules", "bad\x1b", `{"cron":"x"}`)
	assert.Contains(t, ok(t, environ, "schedule", "list"), "does not run: cron: invalid cron line")
	for want, args := range map[string][]string{
		"'goresque schedule list' lists the schedules": {"run", "none"},
		"no such schedule: \"none\"":                   {"next", "none"},
		"does not run":                                 {"next", "bad\x1b"},
	} {
		got := run(t, nil, environ, append([]string{"schedule"}, args...)...)
		assert.Equal(t, 1, got.status)
		assert.Contains(t, got.stderr, want)
	}
	for want, args := range map[string][]string{
		"below 300ms":            {"--every", "0.1s", "-q", "q", "C"},
		"give --cron or --every": {"-q", "q", "C"},
		"no queue for class C":   {"--every", "1h", "C"},
		`invalid cron line`:      {"--cron", "x", "-q", "q", "C"},
	} {
		got := run(t, nil, environ, append([]string{"schedule", "set", "name"}, args...)...)
		assert.Equal(t, 2, got.status)
		if !strings.Contains(want, "below") {
			assert.Contains(t, got.stderr, want)
		}
	}
}

type scheduleLine struct {
	Name string
	Next []time.Time
	Args json.RawMessage
}

// A mistake in the schedule has status 2, and a Redis that refuses it has status 1.
func TestScheduleSetStatusNamesWhoseFaultItIs(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	_, err := s.Conn(t).Do("SET", "resque:persistent_schedules", "a string")
	require.NoError(t, err)
	for status, every := range map[int]string{1: "30s", 2: "1ms"} {
		got := run(t, nil, []string{"REDIS_URL=" + s.URL}, "schedule", "set", "pulse", "Pulse", "-q", "pulse", "--every", every)
		assert.Equal(t, status, got.status, got.stderr)
		assert.Equal(t, status == 2, strings.Contains(got.stderr, "--help"), got.stderr)
	}
}

func TestSchedulerRunsAFile(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	file := filepath.Join(t.TempDir(), "schedule.yml")
	require.NoError(t, os.WriteFile(file, []byte("pulse:\n  every: 1s\n  class: Pulse\n  queue: q\nelsewhere:\n  every: 1s\n  queue: e\n  env: staging\n"), 0o600))
	environ := []string{"REDIS_URL=" + s.URL, "RESQUE_SCHEDULE=" + file, "RAILS_ENV=production", "RESQUE_SCHEDULE_GRACE=5m"}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- cli.App{Redis: patientRedis()}.Run(ctx, []string{"scheduler"}, environ, t.Output(), t.Output())
	}()
	client := s.Client(t)
	require.Eventually(t, func() bool {
		n, err := client.Size(t.Context(), "q")
		return err == nil && n > 0
	}, time.Minute, 10*time.Millisecond)
	stop()
	require.Zero(t, <-ended)
	n, err := client.Size(t.Context(), "e")
	require.NoError(t, err)
	require.Zero(t, n)

	require.NoError(t, os.WriteFile(file, []byte("pulse:\n  every: 1\n"), 0o600))
	got := run(t, nil, environ, "scheduler")
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stderr, file+":2: ")
	got = run(t, nil, environ, "scheduler", "--grace", "often")
	assert.Equal(t, 2, got.status)
}
