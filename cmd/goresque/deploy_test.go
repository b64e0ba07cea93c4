package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// What a page sets must end a worker before its platform's KILL, with some seconds
// for Redis, and what was cut short must go back to its queue.
func TestDeploymentsLoseNoJob(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files []string
		grace string // what the platform says of it, or the number
		slack int
	}{
		"Heroku":     {[]string{"docs/heroku.md", "Procfile"}, `left (30) s later`, 5},
		"Kubernetes": {[]string{"docs/kubernetes.md"}, `terminationGracePeriodSeconds: (\d+)`, 10},
		"systemd":    {[]string{"docs/systemd/goresque.service"}, `(?m)^TimeoutStopSec=(\d+)$`, 10},
		"docker":     {[]string{"Dockerfile"}, `docker stop waits for (10) s`, 4},
		"foreman":    {[]string{"docs/operations.md", "Procfile", ".env"}, `foreman, by its default, waits for (5) s`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var text strings.Builder
			for _, file := range c.files {
				data, err := os.ReadFile(filepath.Join("../..", file))
				require.NoError(t, err)
				if file == "docs/operations.md" { // of which one sentence counts here
					data = regexp.MustCompile(`foreman, by its default.*`).Find(data)
				}
				text.Write(data)
			}
			set := func(variable string) (value string, ok bool) {
				found := regexp.MustCompile(`\b` + variable + `(?:=|, value: )"?(\w+)`).FindStringSubmatch(text.String())
				if found == nil {
					return "", false
				}
				return found[1], true
			}
			seconds := func(variable string, otherwise int) int {
				value, ok := set(variable)
				if !ok {
					return otherwise
				}
				n, err := strconv.Atoi(value)
				require.NoError(t, err)
				return n
			}
			grace, err := strconv.Atoi(match(t, text.String(), c.grace))
			require.NoError(t, err)
			taken := seconds("RESQUE_PRE_SHUTDOWN_TIMEOUT", 0) + seconds("RESQUE_TERM_TIMEOUT", 4)
			assert.LessOrEqual(t, taken+c.slack, grace)
			value, _ := set("TERM_CHILD")
			assert.Equal(t, "1", value, "TERM_CHILD")
			value, _ = set("RESQUE_ON_SHUTDOWN")
			assert.Equal(t, "requeue", value, "RESQUE_ON_SHUTDOWN")
		})
	}
}

// A page names no variable of ours that docs/operations.md, which is held to the
// command's flags, does not have.
func TestDeploymentsNameRealVariables(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	for _, file := range []string{"docs/heroku.md", "docs/kubernetes.md", "docs/systemd/goresque.service", "Dockerfile", "Procfile", ".env"} {
		text, err := os.ReadFile(filepath.Join("../..", file))
		require.NoError(t, err)
		names := regexp.MustCompile(`\b(RESQUE_[A-Z_]+|TERM_CHILD|QUEUE|CONCURRENCY|FORK_PER_JOB|INTERVAL|REDIS_URL|DATABASE_URL)\b`).FindAllString(string(text), -1)
		for _, name := range names {
			assert.Contains(t, string(table), "`"+name+"`", file)
		}
	}
}

func TestSystemdUnit(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	redistest.Require(t, "systemd", err == nil)
	unit, err := os.ReadFile("../../docs/systemd/goresque.service")
	require.NoError(t, err)
	const command = "ExecStart=/usr/local/bin/goresque "
	require.Contains(t, string(unit), command)
	installed := strings.Replace(string(unit), command, "ExecStart="+build(t)+" ", 1)
	file := filepath.Join(t.TempDir(), "goresque.service")
	require.NoError(t, os.WriteFile(file, []byte(installed), 0o600))
	out, err := exec.Command(analyze, "verify", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Empty(t, string(out), "it warns of what it ignores")
}
