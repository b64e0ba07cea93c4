//go:build unix

package worker_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// TestNoAcknowledgedJobIsLostInACluster replaces the master, by command and by killing it,
// and moves the keys to another master and back, while jobs are enqueued and performed.
func TestNoAcknowledgedJobIsLostInACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	r := startRun(t, cluster.URL)
	r.performs(t, 100)
	for range *failovers {
		cluster.Failover(t)
		r.afterFailover(t)
		cluster.AwaitReplica(t)
		r.performs(t, 100)

		old := cluster.Master(t)
		require.NoError(t, syscall.Kill(old.PID, syscall.SIGKILL))
		cluster.AwaitMaster(t, old)
		r.afterFailover(t)
		old.Restart(t)
		cluster.AwaitReplica(t)
		r.performs(t, 100)

		from := cluster.Master(t)
		cluster.Reshard(t, cluster.OtherMaster(t))
		r.afterFailover(t)
		cluster.Reshard(t, from)
		r.afterFailover(t)
		r.performs(t, 100)
	}
	r.finish(t, func() *redistest.Server { return cluster.Master(t).Server })
}
