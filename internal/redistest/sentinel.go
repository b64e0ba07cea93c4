package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"
)

// MasterName is the name of the master that the Sentinels of StartSentinels watch.
const MasterName = "mymaster"

// never is a time in milliseconds after which Sentinels replace a master. If it were short,
// they would also replace one that works on a machine that stood still.
const never = "600000"

// Group is a master and a replica, which Sentinels watch.
type Group struct {
	URL       string // redis-sentinel://…
	Sentinels []*Server
	servers   map[string]*Server // by port
	args      []string
}

// StartSentinels runs a master, a replica and sentinels until the test ends. The servers
// get args. The Sentinels replace the master by command, and while AwaitMaster waits.
// StartSentinels skips the test if no redis-server is installed.
func StartSentinels(t testing.TB, sentinels int, args ...string) *Group {
	t.Helper()
	args = append([]string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}, args...)
	g := &Group{servers: map[string]*Server{}, args: args}
	master := g.start(t)
	g.start(t, "--replicaof", "127.0.0.1", master)
	var hosts []string
	for range sentinels {
		s := startSentinel(t, master, sentinels/2+1, "sentinel down-after-milliseconds "+MasterName+" "+never)
		g.Sentinels = append(g.Sentinels, s)
		hosts = append(hosts, strings.TrimPrefix(s.URL, "redis://"))
	}
	g.URL = "redis-sentinel://" + strings.Join(hosts, ",") + "/" + MasterName
	g.AwaitReplica(t)
	return g
}

// start runs a server and returns its port.
func (g *Group) start(t testing.TB, args ...string) string {
	t.Helper()
	s := StartReal(t, append(append([]string{}, g.args...), args...)...)
	port := s.URL[strings.LastIndex(s.URL, ":")+1:]
	g.servers[port] = s
	return port
}

// startSentinel runs a Sentinel, with lines of configuration. It writes its state to the
// file with its configuration.
func startSentinel(t testing.TB, masterPort string, quorum int, lines ...string) *Server {
	t.Helper()
	path, err := serverPath(t)
	Require(t, "redis", err == nil)
	var last error
	for range 5 {
		port, dir := FreePort(t), t.TempDir()
		conf := filepath.Join(dir, "sentinel.conf")
		require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, `port %s
bind 127.0.0.1
dir %s
sentinel monitor %s 127.0.0.1 %s %d
sentinel down-after-milliseconds %[3]s 1000
sentinel failover-timeout %[3]s 2000
%[6]s
`, port, dir, MasterName, masterPort, quorum, strings.Join(lines, "\n")), 0o600))
		pid, err := listening(t, path, "+monitor", conf, "--sentinel")
		if err == nil {
			s := &Server{URL: "redis://127.0.0.1:" + port, Real: true, PID: pid}
			// Since Redis 7: it notices changes sooner, and if the machine stood still for more
			// than a second, it waits for one second, not 30, before it acts again.
			_, _ = s.ask(t, "SENTINEL", "DEBUG", "info-period", 200, "ping-period", 100, "ask-period", 100, "publish-period", 1000, "tilt-trigger", 1000, "tilt-period", 1000)
			return s
		}
		last = err
	}
	require.NoError(t, last)
	return nil
}

// Master returns the port of the master that the first Sentinel names.
func (g *Group) Master(t testing.TB) string {
	t.Helper()
	at, err := redis.Strings(g.ask(t, "SENTINEL", "get-master-addr-by-name", MasterName))
	require.NoError(t, err)
	return at[1]
}

// Server returns the server of a port.
func (g *Group) Server(port string) *Server { return g.servers[port] }

// AwaitReplica waits until the Sentinels know each other, and a replica that is connected
// to the master.
func (g *Group) AwaitReplica(t testing.TB) {
	t.Helper()
	await(t, func() bool {
		for _, s := range g.Sentinels {
			state, err := redis.StringMap(s.ask(t, "SENTINEL", "master", MasterName))
			if err != nil || state["flags"] != "master" || state["num-slaves"] != "1" || state["num-other-sentinels"] != strconv.Itoa(len(g.Sentinels)-1) {
				return false
			}
			replicas, err := redis.Values(s.ask(t, "SENTINEL", "replicas", MasterName))
			if err != nil || len(replicas) != 1 {
				return false
			}
			replica, err := redis.StringMap(replicas[0], nil)
			if err != nil || replica["flags"] != "slave" || replica["master-link-status"] != "ok" || replica["master-port"] != state["port"] {
				return false
			}
		}
		info, err := redis.String(g.servers[g.Master(t)].ask(t, "INFO", "replication"))
		return err == nil && strings.Contains(info, "state=online")
	}, "the Sentinels do not see a replica")
}

// Failover makes the replica the master, and waits until the first Sentinel names it.
func (g *Group) Failover(t testing.TB) {
	t.Helper()
	old := g.Master(t)
	await(t, func() bool {
		if g.Master(t) != old {
			return true
		}
		_, _ = g.ask(t, "SENTINEL", "FAILOVER", MasterName) // an error if one is in progress. On a slow machine it may be aborted
		return false
	}, "the Sentinels do not replace the master")
}

// AwaitMaster has the Sentinels replace the master old, which was killed, and waits until the
// first one names another.
func (g *Group) AwaitMaster(t testing.TB, old string) {
	t.Helper()
	defer g.downAfter(t, never)
	g.downAfter(t, "1000")
	await(t, func() bool { return g.Master(t) != old }, "no other server becomes the master")
}

// downAfter sets for how many milliseconds a master must not answer until the Sentinels
// replace it.
func (g *Group) downAfter(t testing.TB, ms string) {
	t.Helper()
	for _, s := range g.Sentinels {
		_, err := s.ask(t, "SENTINEL", "SET", MasterName, "down-after-milliseconds", ms)
		require.NoError(t, err)
	}
}

// Restart starts the server of a port again, as a replica of the master.
func (g *Group) Restart(t testing.TB, port string) {
	t.Helper()
	g.servers[port] = StartAgain(t, append(append([]string{}, g.args...), "--replicaof", "127.0.0.1", g.Master(t), "--port", port)...)
	g.servers[port].URL = "redis://127.0.0.1:" + port
}

func (g *Group) ask(t testing.TB, command string, args ...any) (any, error) {
	t.Helper()
	return g.Sentinels[0].ask(t, command, args...)
}

// ask sends one command on a new connection.
func (s *Server) ask(t testing.TB, command string, args ...any) (any, error) {
	t.Helper()
	c, err := redis.DialURL(s.URL)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", s.URL, err)
	}
	defer c.Close()
	return c.Do(command, args...) //nolint:wrapcheck // the server's answer
}

// await waits until is returns true. On a machine that stands still for seconds, servers
// may need several attempts to replace a master.
func await(t testing.TB, is func() bool, message string) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !is(); <-time.After(20 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), message)
	}
}
