package redistest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"
)

// ClusterNamespace is a namespace whose keys are all on one node of a cluster.
const ClusterNamespace = "{resque}"

// patient is for how many milliseconds a node must not answer until the others replace it.
// A machine may stand still that long.
const patient = "5000"

// slots is the number of hash slots of a cluster.
const slots = 16384

// Cluster is a Redis Cluster with three masters. The one that has the keys of
// ClusterNamespace has a replica.
type Cluster struct {
	URL   string // redis-cluster://…
	slot  int
	nodes []*Node
}

// Node is a node of a Cluster.
type Node struct {
	*Server
	args []string
	id   string
}

// StartCluster runs a cluster until the test ends. It skips the test if no redis-server is
// installed.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{}
	var hosts []string
	for range 4 {
		n := &Node{args: []string{
			"--dir", t.TempDir(), "--cluster-enabled", "yes", "--cluster-port", FreePort(t), "--cluster-node-timeout", patient,
			"--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
		}}
		n.Server = StartReal(t, n.args...)
		n.args = append(n.args, "--port", n.port())
		n.id, _ = redis.String(n.ask(t, "CLUSTER", "MYID"))
		c.nodes, hosts = append(c.nodes, n), append(hosts, strings.TrimPrefix(n.URL, "redis://"))
	}
	c.URL = "redis-cluster://" + strings.Join(hosts, ",") + "/" + ClusterNamespace
	c.slot, _ = redis.Int(c.nodes[0].ask(t, "CLUSTER", "KEYSLOT", ClusterNamespace))
	for i, n := range c.nodes {
		n.must(t, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
		if i > 0 {
			c.nodes[0].must(t, "CLUSTER", "MEET", "127.0.0.1", n.port(), n.args[5])
		}
		if i < 3 {
			n.must(t, "CLUSTER", slices.Concat([]any{"ADDSLOTS"}, third(i))...)
		}
	}
	c.await(t, "cluster_slots_assigned:16384", "cluster_known_nodes:4")
	owner := c.Master(t)
	await(t, func() bool { // the node may not know of the owner's slots yet
		_, err := c.nodes[3].ask(t, "CLUSTER", "REPLICATE", owner.id)
		return err == nil
	}, "the node does not become a replica")
	c.AwaitReplica(t)
	return c
}

// third returns the slots of one of three masters.
func third(i int) []any {
	var own []any
	for slot := i * slots / 3; slot < (i+1)*slots/3; slot++ {
		own = append(own, slot)
	}
	return own
}

// await waits until all nodes report a state.
func (c *Cluster) await(t testing.TB, lines ...string) {
	t.Helper()
	await(t, func() bool {
		return !slices.ContainsFunc(c.nodes, func(n *Node) bool {
			info, _ := redis.String(n.ask(t, "CLUSTER", "INFO"))
			return !strings.Contains(info, "cluster_state:ok") || slices.ContainsFunc(lines, func(line string) bool { return !strings.Contains(info, line) })
		})
	}, "the cluster is not ready")
}

// Master returns the node that has the keys of ClusterNamespace. All nodes that answer must
// agree.
func (c *Cluster) Master(t testing.TB) *Node {
	t.Helper()
	var found *Node
	await(t, func() bool {
		found = c.master(t)
		return found != nil
	}, "the nodes do not agree on a master")
	return found
}

func (c *Cluster) master(t testing.TB) *Node {
	t.Helper()
	var found *Node
	for _, n := range c.nodes {
		ranges, err := redis.Values(n.ask(t, "CLUSTER", "SLOTS"))
		if err != nil {
			continue
		}
		for _, r := range ranges {
			var first, last, port int
			var id string
			var at []any
			if _, err := redis.Scan(r.([]any), &first, &last, &at); err != nil || c.slot < first || c.slot > last {
				continue
			}
			if _, err := redis.Scan(at[1:], &port, &id); err != nil {
				return nil
			}
			i := slices.IndexFunc(c.nodes, func(n *Node) bool { return n.id == id })
			if i < 0 || found != nil && found != c.nodes[i] {
				return nil
			}
			found = c.nodes[i]
		}
	}
	if found != nil {
		if _, err := found.ask(t, "PING"); err != nil {
			return nil // it is dead, and the others have not noticed
		}
	}
	return found
}

// AwaitReplica waits until the master has a replica that is connected.
func (c *Cluster) AwaitReplica(t testing.TB) {
	t.Helper()
	await(t, func() bool {
		info, _ := redis.String(c.Master(t).ask(t, "INFO", "replication"))
		return strings.Contains(info, "role:master") && strings.Contains(info, "state=online")
	}, "the master has no replica")
}

// Failover makes the replica the master.
func (c *Cluster) Failover(t testing.TB) {
	t.Helper()
	old := c.Master(t)
	replica := c.replica(t, old)
	var again time.Time
	await(t, func() bool {
		if now := c.master(t); now != nil && now != old {
			return true
		}
		if time.Now().After(again) {
			_, _ = replica.ask(t, "CLUSTER", "FAILOVER") // begins again if one is in progress
			again = time.Now().Add(6 * time.Second)      // one ends after 5 s
		}
		return false
	}, "the replica does not become the master")
}

func (c *Cluster) replica(t testing.TB, master *Node) *Node {
	t.Helper()
	for _, n := range c.nodes {
		if info, _ := redis.String(n.ask(t, "INFO", "replication")); strings.Contains(info, "master_port:"+master.port()) {
			return n
		}
	}
	require.Fail(t, "the master has no replica")
	return nil
}

// AwaitMaster waits until another node than old is the master. If old was killed, the
// others replace it.
func (c *Cluster) AwaitMaster(t testing.TB, old *Node) {
	t.Helper()
	timeout := func(ms string) {
		for _, n := range c.nodes {
			_, _ = n.ask(t, "CONFIG", "SET", "cluster-node-timeout", ms) // an error if it was killed
		}
	}
	defer timeout(patient)
	timeout("1000")
	await(t, func() bool {
		now := c.master(t)
		return now != nil && now != old
	}, "no other node becomes the master")
}

// Restart starts a node again. It becomes a replica of the node that replaced it.
func (n *Node) Restart(t testing.TB) {
	t.Helper()
	url := n.URL
	n.Server = StartAgain(t, n.args...)
	n.URL = url
}

// OtherMaster returns a master of other slots.
func (c *Cluster) OtherMaster(t testing.TB) *Node {
	t.Helper()
	own := c.Master(t)
	for _, n := range c.nodes {
		if info, _ := redis.String(n.ask(t, "INFO", "replication")); n != own && strings.Contains(info, "role:master") {
			return n
		}
	}
	require.Fail(t, "the cluster has no other master")
	return nil
}

// Reshard moves the keys of ClusterNamespace from the master to another one, as redis-cli
// does: a few at a time, while commands go on.
func (c *Cluster) Reshard(t testing.TB, to *Node) {
	t.Helper()
	from := c.Master(t)
	to.must(t, "CLUSTER", "SETSLOT", c.slot, "IMPORTING", from.id)
	from.must(t, "CLUSTER", "SETSLOT", c.slot, "MIGRATING", to.id)
	for {
		keys, err := redis.Values(from.ask(t, "CLUSTER", "GETKEYSINSLOT", c.slot, 10))
		require.NoError(t, err)
		if len(keys) == 0 {
			break
		}
		from.must(t, "MIGRATE", slices.Concat([]any{"127.0.0.1", to.port(), "", 0, 10_000, "KEYS"}, keys)...)
	}
	for _, n := range []*Node{to, from} {
		n.must(t, "CLUSTER", "SETSLOT", c.slot, "NODE", to.id)
	}
	c.AwaitMaster(t, from)
}

// must sends a command that must succeed.
func (s *Server) must(t testing.TB, command string, args ...any) {
	t.Helper()
	_, err := s.ask(t, command, args...)
	require.NoError(t, err)
}
