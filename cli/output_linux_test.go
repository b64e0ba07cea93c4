package cli_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/internal/redistest"
)

// A command whose output is lost says so and fails. Otherwise a backup
// could be empty without an error.
func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	do(t, s, "RPUSH", "resque:failed", `{"failed_at":"2026/01/01 00:00:00 UTC","payload":{"class":"A","args":[]},"exception":"E","error":"e","backtrace":[],"worker":"w","queue":"q"}`)
	do(t, s, "SADD", "resque:queues", "a")
	do(t, s, "RPUSH", "resque:queue:a", `{"class":"A","args":[]}`)
	for _, args := range [][]string{
		{"--help"},
		{"version"},
		{"info"},
		{"info", "--json"},
		{"queues"},
		{"queues", "--json"},
		{"peek", "a"},
		{"list"},
		{"failed", "list"},
		{"failed", "list", "--json"},
		{"delayed", "list"},
		{"retries"},
		{"schedule"},
		{"batches"},
		{"locks"},
		{"limits"},
		{"status"},
		{"doctor"},
		{"completion", "bash"},
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		require.NoError(t, err)
		var stderr bytes.Buffer
		status := cli.App{}.Run(t.Context(), args, []string{"REDIS_URL=" + s.URL}, full, &stderr)
		require.NoError(t, full.Close())
		assert.Equal(t, 1, status, "%q", args)
		assert.Contains(t, stderr.String(), "the output could not be written: write /dev/full: no space left on device", "%q", args)
		assert.NotContains(t, stderr.String(), "Redis was stopped", "%q", args)
	}
}
