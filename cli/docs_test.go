package cli_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// The table in docs/operations.md has every flag and variable of every command.
func TestOperationsNamesEveryFlag(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	commands := regexp.MustCompile(`(?m)^  ([a-z]+)  `)
	top := commands.FindAllStringSubmatch(run(t, nil, nil, "--help").stdout, -1)
	require.Greater(t, len(top), 5)
	var calls [][]string
	for _, found := range top {
		calls = append(calls, []string{found[1]})
	}
	for _, parent := range []string{"failed", "delayed", "retries"} {
		below := commands.FindAllStringSubmatch(run(t, nil, nil, parent, "--help").stdout, -1)
		require.GreaterOrEqual(t, len(below), 3)
		for _, found := range below {
			calls = append(calls, []string{parent, found[1]})
		}
	}
	for _, call := range calls {
		command := strings.Join(call, " ")
		if command == "completion" || command == "help" {
			continue // from cobra
		}
		help := run(t, nil, nil, append(call, "--help")...).stdout
		for _, flag := range regexp.MustCompile(`--([a-z-]+) `).FindAllStringSubmatch(help, -1) {
			if flag[1] != "help" {
				assert.True(t, strings.Contains(string(page), "--"+flag[1]+"`"), "flag --%s of %s", flag[1], command)
			}
		}
		for _, variables := range regexp.MustCompile(`\[([A-Z_, ]+)\]`).FindAllStringSubmatch(help, -1) {
			for _, name := range regexp.MustCompile(`[A-Z_]+`).FindAllString(variables[1], -1) {
				assert.True(t, strings.Contains(string(page), "`"+name+"`"), "variable %s of %s", name, command)
			}
		}
	}
}

func TestVerbosity(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		environ string
		detail  bool
	}{
		{"NOTHING=1", false},
		{"VERBOSE=1", false},
		{"LOGGING=true", false},
		{"VVERBOSE=1", true},
		{"VVERBOSE=false", true}, // Ruby only checks whether it is set
		{"VVERBOSE=", false},
	} {
		t.Run(test.environ, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			environ := []string{"REDIS_URL=" + s.URL, "QUEUE=a", "INTERVAL=0", test.environ}
			require.Equal(t, 0, run(t, nil, environ, "enqueue", "-q", "a", "Nope", "secret").status)
			got := run(t, nil, environ, "work")
			require.Equal(t, 0, got.status, got.stderr)
			assert.Contains(t, got.stderr, `"msg":"job failed","class":"Nope"`)
			assert.Equal(t, test.detail, strings.Contains(got.stderr, `"level":"DEBUG","msg":"job started","class":"Nope"`), got.stderr)
			assert.Equal(t, test.detail, strings.Contains(got.stderr, `"level":"DEBUG","msg":"looked for jobs","queues":1,"found":1`), got.stderr)
			assert.NotContains(t, got.stderr, "secret", "never arguments")
		})
	}
}

// In JSON, a duration is a number of seconds.
func TestDurationsAreSecondsInJSON(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL, "QUEUE=a", "INTERVAL=0"}
	require.Equal(t, 0, run(t, nil, environ, "enqueue", "-q", "a", "Nope").status)
	got := run(t, nil, environ, "work")
	found := regexp.MustCompile(`"msg":"job failed".*"duration":([0-9.e-]+)`).FindStringSubmatch(got.stderr)
	require.NotNil(t, found, got.stderr)
	seconds, err := strconv.ParseFloat(found[1], 64)
	require.NoError(t, err)
	assert.Less(t, seconds, 60.0)
}
