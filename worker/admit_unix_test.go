//go:build unix

package worker_test

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// The process that prunes a killed worker releases what its job was given.
func TestPruneReleasesWhatAKilledWorkersJobWasGiven(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c := s.Conn(t)
	enqueue(t, s, lockedJob(1), lockedJob(2))
	do(t, c, "SET", "resque:note", "of today")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "WORKER_TEST_HOLD="+s.URL, "WORKER_TEST_HEARTBEAT=4s", "WORKER_TEST_PRUNE=9s")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	defer in.Close()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	eventually(t, func() bool {
		locks, err := redis.Strings(c.Do("KEYS", "resque:lock:*"))
		return err == nil && len(locks) == 2
	}, "the jobs do not begin")
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()

	p := &locked{}
	mux := lockedMux(p, func(context.Context, int64) error { return nil })
	workers, err := redis.Strings(c.Do("SMEMBERS", "resque:workers"))
	require.NoError(t, err)
	require.Len(t, workers, 2)
	for _, id := range workers {
		eventually(t, func() bool { // the server has noticed the end of its connection
			_, err := s.Client(t).Prune(t.Context(), id, resque.PruneOptions{Handler: mux})
			return err == nil
		}, "it is not pruned")
	}
	assert.Equal(t, []policy.Kind{policy.Crashed, policy.Crashed}, p.kinds)
	assert.Equal(t, []string{"of today", "of today"}, p.notes)
	assert.Empty(t, do(t, c, "KEYS", "resque:lock:*"))
	assert.Len(t, failures(t, c), 2)
}
