package cli_test

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque/doctor"
)

func TestDoctor(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t, "--save", "3600 1", "--slowlog-log-slower-than", "-1")
	environ := []string{"REDIS_URL=" + s.URL}
	assert.Regexp(t, `^0 finding\(s\), 0 of them problems; looked at 0 keys of redis \S+ in \S+\n$`, ok(t, environ, "doctor"))

	do(t, s, "RPUSH", "resque:delayed:4102444800", `{"class":"A","args":[],"queue":"q"}`)
	sick := run(t, nil, environ, "doctor")
	assert.Equal(t, 1, sick.status)
	assert.Contains(t, sick.stdout, "D04 problem: Delayed jobs that no scheduler would find (1)\n  cost: ")
	assert.Contains(t, sick.stderr, "1 problem(s) found")

	var report doctor.Report
	got := run(t, nil, environ, "doctor", "--json")
	assert.Equal(t, 1, got.status)
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &report))
	require.Len(t, report.Findings, 1)
	assert.Equal(t, "D04", report.Findings[0].Code)
	assert.True(t, report.Findings[0].Fixable)

	asked := run(t, nil, environ, "doctor", "--fix")
	assert.Equal(t, 2, asked.status)
	assert.Contains(t, asked.stdout, "D04 problem", "the report is before the question")
	assert.Contains(t, asked.stderr, "this would do what can be done about D04: confirm with --yes")

	fixed := run(t, nil, environ, "doctor", "--fix", "--yes")
	assert.Equal(t, 0, fixed.status, fixed.stderr)
	assert.Contains(t, fixed.stderr, "fixed D04: 1 seconds with delayed jobs made known to schedulers")
	ok(t, environ, "doctor")
}

func TestDoctorMovesToTheTrashAndBack(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t, "--save", "3600 1", "--slowlog-log-slower-than", "-1")
	environ := []string{"REDIS_URL=" + s.URL}
	do(t, s, "SET", "resque:lock:Gone-[1]", 4102444800)
	fixed := run(t, nil, environ, "doctor", "--fix", "--yes")
	assert.Equal(t, 0, fixed.status, fixed.stderr)
	assert.Contains(t, fixed.stderr, "fixed T03: 1 locks moved to the trash")
	token := regexp.MustCompile(`doctor --restore (\S+)`).FindStringSubmatch(fixed.stderr)
	require.Len(t, token, 2, fixed.stderr)
	ok(t, environ, "doctor")
	assert.Equal(t, "1 restored\n", ok(t, environ, "doctor", "--restore", token[1]))
	assert.Contains(t, run(t, nil, environ, "doctor").stdout, "T03")
	assert.Equal(t, 1, run(t, nil, environ, "doctor", "--restore", token[1]).status)
}

func TestDoctorRefusesANegativeLimit(t *testing.T) {
	t.Parallel()
	got := run(t, nil, nil, "doctor", "--limit=-1")
	assert.Equal(t, 2, got.status)
	assert.Contains(t, got.stderr, "--limit is -1; it must not be negative")
}
