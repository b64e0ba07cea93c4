package cli_test

import (
	"bytes"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo"
	"github.com/goresque/goresque/internal/redistest"
)

// Each example in a help text is a valid call. Commands that run until they are stopped only parse
// theirs.
func TestExamplesRun(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("sh")
	redistest.Require(t, "sh", err == nil)
	s := redistest.Start(t)
	call := func(environ, args []string) (int, string) {
		var stderr bytes.Buffer
		environ = append([]string{"REDIS_URL=" + s.URL}, environ...)
		status := demo.App(func(string) string { return "" }).Run(t.Context(), args, environ, &bytes.Buffer{}, &stderr)
		return status, stderr.String()
	}
	for _, args := range [][]string{
		{"enqueue", "-q", "exports", "Exporter", "42"},
		{"schedule", "set", "nightly", "--cron", "0 3 * * *", "-q", "reports", "Report"},
	} {
		status, stderr := call(nil, args)
		require.Zero(t, status, stderr)
	}
	endless := []string{"work", "workers", "web", "scheduler", "demo", "top"}
	files := regexp.MustCompile(`\S+\.yml`) // none of them is here
	seen := 0
	for _, cmd := range everyCommand(t) {
		for line := range strings.Lines(cmd.Example) {
			if line = strings.TrimSpace(line); line == "" || files.MatchString(line) {
				continue
			}
			seen++
			line, _, _ = strings.Cut(line, " | ")
			out, err := exec.CommandContext(t.Context(), shell, "-c", `printf '%s\0' `+line).Output()
			require.NoError(t, err, line)
			words := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
			first := slices.Index(words, "goresque")
			require.GreaterOrEqual(t, first, 0, line)
			args := words[first+1:]
			if slices.Contains(endless, args[0]) {
				args = append(args, "--help")
			}
			called, _, err := cmd.Root().Find(args) // perhaps one below cmd
			require.NoError(t, err, line)
			if called.Flags().Lookup("yes") != nil {
				args = append(args, "--yes") // nothing can be answered here
			}
			status, stderr := call(words[:first], args)
			// The failures and batches that the examples name do not exist here.
			if status != 0 {
				assert.Equal(t, 1, status, "%s: %s", line, stderr)
				assert.Regexp(t, `does not exist|no longer|there is no|removed|no job|not found|problem\(s\) found|expired|has no limit`, stderr, line)
			}
		}
	}
	assert.Greater(t, seen, 40)
}

// A flag that several commands have is described in the same words, and has the same form.
func TestFlagsAreDescribedAlike(t *testing.T) {
	t.Parallel()
	same := map[string]string{
		"yes":         `^do not ask for confirmation$`,
		"limit":       `^maximum number of .*; 0 for all$`,
		"json":        `^print (a|one) JSON object`,
		"keep":        `^how long '(failed|delayed) restore' can restore them, such as 1h \(default: not at all\)$`,
		"lock-prefix": `^prefix of the lock's name, `,
		"class":       `^only (failures|jobs) of this class$`,
		"health":      `^address for /healthz and /readyz, such as :8080 \[RESQUE_HEALTH\]$`,
		"background":  `^run in the background \[BACKGROUND\]$`,
		"pidfile":     `^file to write the process id to`,
	}
	for _, cmd := range everyCommand(t) {
		assert.NotRegexp(t, `\.$`, cmd.Short, cmd.CommandPath())
		assert.Regexp(t, `^[A-Z]`, cmd.Short, cmd.CommandPath())
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if pattern, ok := same[f.Name]; ok {
				assert.Regexp(t, pattern, f.Usage, "%s --%s", cmd.CommandPath(), f.Name)
			}
			assert.NotRegexp(t, `^[A-Z][a-z]|\.$`, f.Usage, "%s --%s", cmd.CommandPath(), f.Name)
		})
	}
}
