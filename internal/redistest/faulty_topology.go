package redistest

import (
	"strings"
	"testing"

	"github.com/goresque/goresque/resque"
)

// topologies are Sentinels and nodes of a cluster that do not lead to a master.
func topologies() []Faulty {
	behind := func(s *Server, path string) string {
		return strings.Replace(s.URL, "redis:", "redis-sentinel:", 1) + "/" + path
	}
	return []Faulty{
		{Name: "no Sentinel", Code: resque.FaultSentinel, Start: func(t testing.TB) string {
			t.Helper()
			return "redis-sentinel://127.0.0.1:" + FreePort(t) + ",127.0.0.1:" + FreePort(t) + "/" + MasterName
		}},
		{Name: "a Redis instead of a Sentinel", Code: resque.FaultNotSentinel, Start: func(t testing.TB) string {
			t.Helper()
			return behind(StartReal(t), MasterName)
		}},
		{Name: "a Sentinel that does not know the master", Code: resque.FaultNoMaster, Start: func(t testing.TB) string {
			t.Helper()
			return behind(startSentinel(t, FreePort(t), 1), "othermaster")
		}},
		{Name: "a Sentinel with a password", Code: resque.FaultSentinelPassword, Start: func(t testing.TB) string {
			t.Helper()
			return withUser(behind(startSentinel(t, FreePort(t), 1, "requirepass s3cret"), MasterName), ":guessed")
		}},
		{Name: "a master with another password", Code: resque.FaultPassword, Start: func(t testing.TB) string {
			t.Helper()
			return withUser(behind(startSentinel(t, StartReal(t, "--requirepass", "s3cret").port(), 1), MasterName), ":guessed")
		}},
		{Name: "a master that is away", Code: resque.FaultFailover, Start: func(t testing.TB) string {
			t.Helper()
			return behind(startSentinel(t, FreePort(t), 1), MasterName)
		}},
		{Name: "a quorum that is lost", Code: resque.FaultQuorum, Start: func(t testing.TB) string {
			t.Helper()
			return behind(startSentinel(t, FreePort(t), 2), MasterName)
		}},
		{Name: "no node", Code: resque.FaultNodes, Start: func(t testing.TB) string {
			t.Helper()
			return "redis-cluster://127.0.0.1:" + FreePort(t) + ",127.0.0.1:" + FreePort(t) + "/{resque}"
		}},
		{Name: "a Redis instead of a node", Code: resque.FaultNotCluster, Start: func(t testing.TB) string {
			t.Helper()
			return strings.Replace(StartReal(t).URL, "redis:", "redis-cluster:", 1) + "/{resque}"
		}},
		{Name: "a node of a cluster without slots", Code: resque.FaultClusterDown, Start: func(t testing.TB) string {
			t.Helper()
			return strings.Replace(StartReal(t, "--cluster-enabled", "yes").URL, "redis:", "redis-cluster:", 1) + "/{resque}"
		}},
	}
}

func (s *Server) port() string { return s.URL[strings.LastIndex(s.URL, ":")+1:] }
