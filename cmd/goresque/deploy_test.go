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

// With the settings of each guide, a worker must stop some seconds before the platform
// kills it, and return interrupted jobs to their queue.
func TestDeploymentGuidesLoseNoJob(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files []string
		grace string // matches the seconds before the platform's KILL
		slack int
	}{
		"Heroku":     {[]string{"docs/heroku.md", "Procfile"}, `(30) s later it sends KILL`, 5},
		"Kubernetes": {[]string{"docs/kubernetes.md"}, `terminationGracePeriodSeconds: (\d+)`, 10},
		"systemd":    {[]string{"docs/systemd/goresque.service"}, `(?m)^TimeoutStopSec=(\d+)$`, 10},
		"docker":     {[]string{"Dockerfile"}, `docker stop waits for (10) s`, 4},
		"foreman":    {[]string{"docs/operations.md", "Procfile", ".env"}, `By default, foreman waits for (5) s`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var text strings.Builder
			for _, file := range c.files {
				data, err := os.ReadFile(filepath.Join("../..", file))
				require.NoError(t, err)
				if file == "docs/operations.md" { // only one sentence is about foreman
					data = regexp.MustCompile(`By default, foreman waits.*`).Find(data)
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

// Another test compares docs/operations.md with the command's flags.
func TestDeploymentGuidesNameVariablesOfOperations(t *testing.T) {
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

func TestSystemdUnitIsValid(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	redistest.Require(t, "systemd", err == nil)
	unit, err := os.ReadFile("../../docs/systemd/goresque.service")
	require.NoError(t, err)
	// systemd checks that the command of ExecStart exists. The comments name it
	// also, and may follow the last one of ExecStart.
	command := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/goresque `)
	require.Len(t, command.FindAll(unit, -1), 1)
	installed := command.ReplaceAllLiteralString(string(unit), "ExecStart="+build(t)+" ")
	file := filepath.Join(t.TempDir(), "goresque.service")
	require.NoError(t, os.WriteFile(file, []byte(installed), 0o600))
	out, err := exec.Command(analyze, "verify", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Empty(t, string(out), "systemd-analyze prints warnings")
}
