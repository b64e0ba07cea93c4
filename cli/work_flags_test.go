package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// parsed returns the worker's config that flags make.
func parsed(t *testing.T, flags string) (worker.Config, error) {
	t.Helper()
	return parsedOver(t, worker.Config{}, "--queue q "+flags)
}

// parsedOver returns base with what flags give.
func parsedOver(t *testing.T, base worker.Config, flags string) (worker.Config, error) {
	t.Helper()
	var f workFlags
	cmd := &cobra.Command{}
	f.add(cmd)
	require.NoError(t, cmd.ParseFlags(strings.Fields(flags)))
	return f.config(base)
}

// As Ruby's work with the same numbers: it either ends when the queues are empty, or
// waits.
func TestIntervals(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]struct {
		ends bool
		wait time.Duration
	}{
		"":                       {wait: 5 * time.Second},
		"-i 0":                   {ends: true},
		"-i 0 --min-interval 1":  {ends: true}, // the interval is also the longest wait
		"-i 0 --max-interval 10": {ends: true},
		"-i 5 --max-interval 0":  {ends: true, wait: 5 * time.Second},
		"-i 5 --min-interval 0":  {wait: 5 * time.Second},
		"-i 0 --min-interval 1 --max-interval 10": {wait: time.Nanosecond}, // the worker raises it to 1 s
	} {
		cfg, err := parsed(t, flags)
		require.NoError(t, err, flags)
		assert.Equal(t, want.ends, cfg.UntilEmpty, flags)
		assert.Equal(t, want.wait, cfg.PollInterval, flags)
	}
}

// For the worker, 0 means the default. For a flag, it means 0.
func TestZeroSecondsAreNone(t *testing.T) {
	t.Parallel()
	cfg, err := parsed(t, "--max-interval 9 --backoff-interval 0 --term-child --pre-shutdown-timeout 0 --term-timeout 0")
	require.NoError(t, err)
	assert.Equal(t, time.Nanosecond, cfg.PollBackoff)
	assert.Equal(t, time.Nanosecond, cfg.StopTimeout)
	assert.Equal(t, time.Nanosecond, cfg.StopGrace)
}

// The lifetime of a child process has no effect without child processes.
func TestFlagsThatImplyAProcessPerJob(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]worker.Config{
		"":                      {},
		"--fork-per-job":        {ForkPerJob: true},
		"--jobs-per-child 7":    {ForkPerJob: true, JobsPerChild: 7},
		"--minutes-per-child 3": {ForkPerJob: true, ChildLifetime: 3 * time.Minute},
		"--fork-per-job=false --minutes-per-child 1": {ForkPerJob: true, ChildLifetime: time.Minute},
	} {
		cfg, err := parsed(t, flags)
		require.NoError(t, err, flags)
		assert.Equal(t, want, worker.Config{ForkPerJob: cfg.ForkPerJob, JobsPerChild: cfg.JobsPerChild, ChildLifetime: cfg.ChildLifetime}, flags)
	}
	for _, flags := range []string{"--jobs-per-child -1", "--minutes-per-child -1"} {
		_, err := parsed(t, flags)
		require.ErrorContains(t, err, "must not be negative", flags)
	}
}

// Ruby's stop settings map onto StopTimeout, StopGrace, GracefulTerm and
// KillChildren as the table of signals in docs/operations.md says.
func TestStopFlagsMapOntoConfig(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]worker.Config{
		"":                                      {},
		"--graceful-term":                       {}, // the default in process
		"--term-child":                          {StopTimeout: 1, StopGrace: 4 * time.Second},
		"--term-child --term-timeout 2":         {StopTimeout: 1, StopGrace: 2 * time.Second},
		"--term-child --graceful-term":          {StopTimeout: 1, StopGrace: 4 * time.Second, GracefulTerm: true},
		"--exec A=b --term-timeout 2":           {}, // applies to the command
		"--fork-per-job":                        {ForkPerJob: true, KillChildren: true, StopGrace: 4 * time.Second},
		"--fork-per-job --term-timeout 2":       {ForkPerJob: true, KillChildren: true, StopGrace: 2 * time.Second},
		"--fork-per-job --graceful-term":        {ForkPerJob: true, KillChildren: true, StopGrace: 4 * time.Second, GracefulTerm: true},
		"--fork-per-job --term-child":           {ForkPerJob: true, StopTimeout: 1, StopGrace: 4 * time.Second},
		"--term-child --pre-shutdown-timeout 3": {StopTimeout: 3 * time.Second, StopGrace: 4 * time.Second},
	} {
		cfg, err := parsed(t, flags)
		require.NoError(t, err, flags)
		assert.Equal(t, want, worker.Config{
			StopTimeout: cfg.StopTimeout, StopGrace: cfg.StopGrace, GracefulTerm: cfg.GracefulTerm,
			ForkPerJob: cfg.ForkPerJob, KillChildren: cfg.KillChildren,
		}, flags)
	}
}

func TestFlagsWithoutEffectAreUsageErrors(t *testing.T) {
	t.Parallel()
	for flags, variable := range map[string]string{
		"--pre-shutdown-timeout 5":                "RESQUE_PRE_SHUTDOWN_TIMEOUT",
		"--pre-shutdown-timeout 5 --fork-per-job": "RESQUE_PRE_SHUTDOWN_TIMEOUT",
		"--term-timeout 5":                        "RESQUE_TERM_TIMEOUT",
		"--term-timeout 0":                        "RESQUE_TERM_TIMEOUT",
		"--crash-limit 5":                         "RESQUE_CRASH_LIMIT",
		"--crash-limit 5 --on-crash fail":         "RESQUE_CRASH_LIMIT",
		"--backoff-interval 1":                    "BACKOFF_INTERVAL",
	} {
		_, err := parsed(t, flags)
		var usage *usageError
		require.ErrorAs(t, err, &usage, flags)
		name, _, _ := strings.Cut(strings.TrimPrefix(flags, "--"), " ")
		assert.ErrorContains(t, err, name+" ("+variable+") has no effect without", flags)
	}
}

// Every flag ends up in its own field of the worker's config.
func TestFlagsAndTheirFields(t *testing.T) {
	t.Parallel()
	cfg, err := parsed(t, "--concurrency 3 --interval 2 --min-interval 1 --max-interval 9 --backoff-interval 0.5 --max-waiting 4 "+
		"--heartbeat-interval 7 --prune-interval 8 --crash-limit 6 --timeout 11 --on-crash requeue --unknown-class put-back "+
		"--on-shutdown requeue --failure-backend redis_multi_queue --term-child --graceful-term --pre-shutdown-timeout 12 --term-timeout 13")
	require.NoError(t, err)
	assert.Equal(t, worker.Config{
		Queues: []string{"q"}, Concurrency: 3, PollInterval: 2 * time.Second, MinPollInterval: time.Second, MaxPollInterval: 9 * time.Second,
		PollBackoff: 500 * time.Millisecond, MaxWaiting: 4, HeartbeatInterval: 7 * time.Second, PruneAfter: 8 * time.Second,
		CrashLimit: 6, Timeout: 11 * time.Second, OnCrash: worker.RequeueCrashed, UnknownClass: worker.PutBackUnknown,
		OnShutdown: worker.RequeueInterrupted, FailureLists: resque.FailuresByQueue, GracefulTerm: true, StopTimeout: 12 * time.Second, StopGrace: 13 * time.Second,
	}, cfg)
	cfg, err = parsed(t, "--max-waiting 0")
	require.NoError(t, err)
	assert.Equal(t, -1, cfg.MaxWaiting, "none, not the default")
}

// A number that makes no sense is refused, instead of becoming the default. The error names what is
// wrong first.
func TestNumbersThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, flags := range []string{
		"--crash-limit 0", "--crash-limit -1", "--heartbeat-interval 0", "--prune-interval 0", "--prune-interval 5 --heartbeat-interval 20", "--heartbeat-interval 300", "--concurrency 0",
		"--concurrency 100001", "--max-waiting -1", "--jobs-per-child -1", "--minutes-per-child -1", "--minutes-per-child 1000001", "--min-interval 5 --max-interval 1",
	} {
		_, err := parsed(t, flags)
		name, _, _ := strings.Cut(flags, " ")
		if flags == "--prune-interval 5 --heartbeat-interval 20" {
			name = "--heartbeat-interval"
		}
		require.Error(t, err, flags)
		assert.Regexp(t, "^"+name+` \([A-Z_]+\) is `, err.Error())
	}
}

// Settings of the app stay unless a flag of the same kind is given.
func TestFlagsOverAnAppsSettings(t *testing.T) {
	t.Parallel()
	base := worker.Config{
		Queues: []string{"a", "b"}, Concurrency: 3, PollInterval: 2 * time.Second, MinPollInterval: time.Second, PollBackoff: 3, UntilEmpty: true,
		MaxWaiting: -1, HeartbeatInterval: 7 * time.Second, PruneAfter: 80 * time.Second, OnCrash: worker.RequeueCrashed, CrashLimit: 6,
		UnknownClass: worker.PutBackUnknown, Timeout: 11 * time.Second, StopTimeout: 12 * time.Second, StopGrace: 13 * time.Second,
		OnShutdown: worker.RequeueInterrupted, FailureLists: resque.FailuresNowhere, FailureBackends: []resque.FailureBackend{nil},
	}
	cfg, err := parsedOver(t, base, "")
	require.NoError(t, err)
	base.MaxPollInterval = cfg.MaxPollInterval // the flag's default, which is the worker's
	assert.Equal(t, base, cfg)

	cfg, err = parsedOver(t, base, "-q c -c 1 --max-waiting 16 --heartbeat-interval 60 --prune-interval 300 --unknown-class fail "+
		"--timeout 0 --on-shutdown fail --failure-backend redis --on-crash fail -i 5 --fork-per-job")
	require.NoError(t, err)
	assert.Equal(t, worker.Config{
		Queues: []string{"c"}, Concurrency: 1, MaxWaiting: 16, HeartbeatInterval: time.Minute, PruneAfter: 5 * time.Minute, PollInterval: 5 * time.Second,
		StopGrace: 4 * time.Second, ForkPerJob: true, KillChildren: true, FailureBackends: base.FailureBackends,
	}, cfg)
}
