package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/worker"
)

// parsed is the worker's config that flags make.
func parsed(t *testing.T, flags string) (worker.Config, error) {
	t.Helper()
	var f workFlags
	cmd := &cobra.Command{}
	f.add(cmd)
	require.NoError(t, cmd.ParseFlags(strings.Fields("--queue q "+flags)))
	return f.config()
}

// What Ruby's work does with the same numbers: end once there is nothing, or wait.
func TestIntervals(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]struct {
		ends bool
		wait time.Duration
	}{
		"":                       {wait: 5 * time.Second},
		"-i 0":                   {ends: true},
		"-i 0 --min-interval 1":  {ends: true}, // the interval is the most, too
		"-i 0 --max-interval 10": {ends: true},
		"-i 5 --max-interval 0":  {ends: true, wait: 5 * time.Second},
		"-i 5 --min-interval 0":  {wait: 5 * time.Second},
		"-i 0 --min-interval 1 --max-interval 10": {wait: time.Nanosecond}, // the worker makes 1 s of it
	} {
		cfg, err := parsed(t, flags)
		require.NoError(t, err, flags)
		assert.Equal(t, want.ends, cfg.UntilEmpty, flags)
		assert.Equal(t, want.wait, cfg.PollInterval, flags)
	}
}

// The worker takes 0 for its default; a flag that says 0 means it.
func TestZeroSecondsAreNone(t *testing.T) {
	t.Parallel()
	cfg, err := parsed(t, "--backoff-interval 0 --term-timeout 0")
	require.NoError(t, err)
	assert.Equal(t, time.Nanosecond, cfg.PollBackoff)
	assert.Equal(t, time.Nanosecond, cfg.TermTimeout)
}

// Where 0 cannot be meant, it is not silently the default.
func TestZerosThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, flags := range []string{"--crash-limit 0", "--crash-limit -1", "--heartbeat-interval 0", "--prune-interval 0", "--concurrency 0"} {
		_, err := parsed(t, flags)
		name, _, _ := strings.Cut(strings.TrimPrefix(flags, "--"), " ")
		assert.ErrorContains(t, err, name)
	}
}
