package redistest

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
)

// Faulty is a server, or an address without one, at which calls end with a fault.
type Faulty struct {
	Name string
	Code resque.FaultCode

	// Writes reports that only writes end so.
	Writes bool

	// WriteCode is the fault of writes if it is another one.
	WriteCode resque.FaultCode

	// Start runs the server until the test ends and returns its URL.
	Start func(t testing.TB) (url string)
}

// FaultyServers are servers that each have one fault. All need redis-server
// installed except those without a Redis.
func FaultyServers() []Faulty {
	return slices.Concat(strangers(), reluctant(), writeRefusers(), topologies())
}

// strangers are addresses at which no Redis answers, or not as it is spoken to.
func strangers() []Faulty {
	return []Faulty{
		{Name: "nothing listens", Code: resque.FaultUnreachable, Start: func(t testing.TB) string {
			t.Helper()
			return "redis://127.0.0.1:" + FreePort(t)
		}},
		{Name: "no socket", Code: resque.FaultNoSocket, Start: func(t testing.TB) string {
			t.Helper()
			return "unix://" + filepath.Join(t.TempDir(), "none.sock")
		}},
		{Name: "unknown host", Code: resque.FaultHost, Start: func(testing.TB) string { return "redis://no-such-host.invalid:6379" }},
		{Name: "an HTTP server", Code: resque.FaultNotRedis, Start: func(t testing.TB) string {
			t.Helper()
			s := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(s.Close)
			return "redis://" + s.Listener.Addr().String()
		}},
		{Name: "an SSH server", Code: resque.FaultNotRedis, Start: func(t testing.TB) string {
			t.Helper()
			return greets(t, "SSH-2.0-OpenSSH_9.2\r\n")
		}},
		{Name: "hangs up", Code: resque.FaultClosed, Start: func(t testing.TB) string {
			t.Helper()
			return greets(t, "")
		}},
		{Name: "TLS spoken to in plain", Code: resque.FaultTLSExpected, Start: func(t testing.TB) string {
			t.Helper()
			port, _ := startTLS(t, "no")
			return "redis://127.0.0.1:" + port
		}},
		{Name: "plain spoken to in TLS", Code: resque.FaultNoTLS, Start: func(t testing.TB) string {
			t.Helper()
			return strings.Replace(StartReal(t).URL, "redis:", "rediss:", 1)
		}},
		{Name: "a certificate of an unknown authority", Code: resque.FaultCertificate, Start: func(t testing.TB) string {
			t.Helper()
			port, _ := startTLS(t, "no")
			return "rediss://127.0.0.1:" + port
		}},
	}
}

// reluctant are servers that refuse all that Resque asks of them.
func reluctant() []Faulty {
	return []Faulty{
		{Name: "loading", Code: resque.FaultLoading, Start: func(t testing.TB) string {
			t.Helper()
			s, _ := Loading(t)
			return s.URL
		}},
		{Name: "a script runs", Code: resque.FaultBusy, Start: busy},
		{Name: "a replica without its master", Code: resque.FaultMasterDown, WriteCode: resque.FaultReadOnly, Start: func(t testing.TB) string {
			t.Helper()
			return StartReal(t, "--replicaof", "127.0.0.1", FreePort(t), "--replica-serve-stale-data", "no").URL
		}},
		{Name: "no room for a client", Code: resque.FaultMaxClients, Start: func(t testing.TB) string {
			t.Helper()
			s := StartReal(t, "--maxclients", "1")
			require.NoError(t, ask(s.Conn(t), "PING")) // it is there
			return s.URL
		}},
		{Name: "a password is wanted", Code: resque.FaultPassword, Start: func(t testing.TB) string {
			t.Helper()
			return StartReal(t, "--requirepass", "s3cret").URL
		}},
		{Name: "a wrong password", Code: resque.FaultPassword, Start: func(t testing.TB) string {
			t.Helper()
			return withUser(StartReal(t, "--requirepass", "s3cret").URL, ":guessed")
		}},
		{Name: "an unknown user", Code: resque.FaultPassword, Start: func(t testing.TB) string {
			t.Helper()
			return withUser(StartReal(t, "--requirepass", "s3cret").URL, "bob:guessed")
		}},
		{Name: "a password for a server without", Code: resque.FaultPassword, Start: func(t testing.TB) string {
			t.Helper()
			return withUser(StartReal(t).URL, ":guessed")
		}},
		{Name: "a user without a right", Code: resque.FaultPermission, Start: func(t testing.TB) string {
			t.Helper()
			return withUser(StartReal(t, "--user", "ann", "on", ">w0rd", "~resque:*", "+ping", "+client").URL, "ann:w0rd")
		}},
		{Name: "a user of other keys", Code: resque.FaultPermission, Start: func(t testing.TB) string {
			t.Helper()
			return withUser(StartReal(t, "--user", "ann", "on", ">w0rd", "~other:*", "+@all").URL, "ann:w0rd")
		}},
		{Name: "no such database", Code: resque.FaultDatabase, Start: func(t testing.TB) string {
			t.Helper()
			return StartReal(t).URL + "/99"
		}},
		{Name: "a key of another type", Code: resque.FaultType, Start: func(t testing.TB) string {
			t.Helper()
			s := StartReal(t)
			require.NoError(t, ask(s.Conn(t), "MSET", "resque:queues", "x", "resque:failed", "x", "resque:workers", "x"))
			return s.URL
		}},
		{Name: "renamed commands", Code: resque.FaultCommand, Start: func(t testing.TB) string {
			t.Helper()
			return StartReal(t, "--rename-command", "SMEMBERS", "", "--rename-command", "RPUSH", "").URL
		}},
		{Name: "a Sentinel", Code: resque.FaultCommand, Start: func(t testing.TB) string {
			t.Helper()
			return startSentinel(t, FreePort(t), 1).URL
		}},
		{Name: "a node of a cluster", Code: resque.FaultCluster, Start: clusterNode},
		{Name: "a cluster that is down", Code: resque.FaultClusterDown, Start: func(t testing.TB) string {
			t.Helper()
			return StartReal(t, "--cluster-enabled", "yes", "--cluster-port", FreePort(t)).URL
		}},
	}
}

// writeRefusers are servers that answer and refuse what would change them.
func writeRefusers() []Faulty {
	return []Faulty{
		{Name: "a replica", Code: resque.FaultReadOnly, Writes: true, Start: func(t testing.TB) string {
			t.Helper()
			return StartReal(t, "--replicaof", "127.0.0.1", FreePort(t)).URL
		}},
		{Name: "memory full", Code: resque.FaultMemory, Writes: true, Start: func(t testing.TB) string {
			t.Helper()
			return StartReal(t, "--maxmemory", "1").URL
		}},
		{Name: "disk full", Code: resque.FaultDisk, Writes: true, Start: unsaved},
		{Name: "no replica", Code: resque.FaultReplicas, Writes: true, Start: func(t testing.TB) string {
			t.Helper()
			return StartReal(t, "--min-replicas-to-write", "1").URL
		}},
	}
}

// Loading runs a server that loads its data for as long as the test takes, or
// until done is called.
func Loading(t testing.TB) (s *Server, done func()) {
	t.Helper()
	s = StartReal(t, Reloadable()...)
	return s, s.Reload(t)
}

// Reloadable returns the arguments of a server for Reload.
func Reloadable() []string {
	return []string{"--enable-debug-command", "yes", "--loading-process-events-interval-bytes", "1024", "--rdbcompression", "no"}
}

// Reload makes a server load its data, for as long as the test takes or until done is
// called, which waits until the server answers again. The server needs the arguments
// Reloadable.
func (s *Server) Reload(t testing.TB) (done func()) {
	t.Helper()
	c := s.Conn(t)
	require.NoError(t, ask(c, "DEBUG", "POPULATE", 3000, "filler", 1024)) // it answers after each key
	require.NoError(t, ask(c, "CONFIG", "SET", "key-load-delay", 50_000)) // µs for each key: two minutes and a half
	require.NoError(t, c.Send("DEBUG", "RELOAD"))
	require.NoError(t, c.Flush())
	watch := s.Conn(t)
	until(t, "it is loading", func() bool {
		err := ask(watch, "GET", "filler:1")
		return err != nil && strings.HasPrefix(err.Error(), "LOADING")
	})
	return func() {
		require.NoError(t, ask(watch, "CONFIG", "SET", "key-load-delay", 0))
		_, err := redis.ReceiveWithTimeout(c, time.Minute)
		require.NoError(t, err)
		_, _ = watch.Close(), c.Close()
	}
}

func busy(t testing.TB) string {
	t.Helper()
	s := StartReal(t, "--busy-reply-threshold", "1")
	c := s.Conn(t)
	require.NoError(t, c.Send("EVAL", "while true do end", 0))
	require.NoError(t, c.Flush())
	watch := s.Conn(t)
	until(t, "the script runs", func() bool {
		err := ask(watch, "PING")
		return err != nil && strings.HasPrefix(err.Error(), "BUSY")
	})
	return s.URL
}

// clusterNode runs a node of a cluster whose other node has almost all slots.
func clusterNode(t testing.TB) string {
	t.Helper()
	dir, port := t.TempDir(), FreePort(t)
	nodes := fmt.Sprintf("%[1]s 127.0.0.1:%[3]s@1%[3]s myself,master - 0 0 1 connected 0\n"+
		"%[2]s 127.0.0.1:1@2 master - 0 0 2 connected 1-16383\nvars currentEpoch 2 lastVoteEpoch 0\n",
		strings.Repeat("a", 40), strings.Repeat("b", 40), port)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nodes.conf"), []byte(nodes), 0o600))
	s := StartReal(t, "--dir", dir, "--cluster-enabled", "yes", "--cluster-port", FreePort(t),
		"--cluster-require-full-coverage", "no", "--cluster-node-timeout", "600000")
	c := s.Conn(t)
	until(t, "it serves", func() bool {
		err := ask(c, "GET", "resque:queues")
		return err != nil && strings.HasPrefix(err.Error(), "MOVED")
	})
	return s.URL
}

// unsaved runs a server that could not save.
func unsaved(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "gone")
	require.NoError(t, os.Mkdir(dir, 0o700))
	s := StartReal(t, "--dir", dir, "--save", "3600 1")
	require.NoError(t, os.Remove(dir))
	c := s.Conn(t)
	require.NoError(t, ask(c, "BGSAVE"))
	until(t, "saving has failed", func() bool {
		info, err := redis.String(c.Do("INFO", "persistence"))
		return err == nil && strings.Contains(info, "rdb_last_bgsave_status:err")
	})
	return s.URL
}

// startTLS runs a server that listens for TLS on port, and in plain on another.
func startTLS(t testing.TB, clients string) (port string, certs Certificates) {
	t.Helper()
	certs, port = Certify(t), FreePort(t)
	StartReal(t, "--tls-port", port, "--tls-ca-cert-file", certs.Authority,
		"--tls-cert-file", certs.Certificate, "--tls-key-file", certs.Key, "--tls-auth-clients", clients)
	return port, certs
}

// StartWantsClientCertificate runs a server that wants a certificate of its
// clients, and returns its URL, and certificates that it accepts.
func StartWantsClientCertificate(t testing.TB) (url string, certs Certificates) {
	t.Helper()
	port, certs := startTLS(t, "yes")
	return "rediss://127.0.0.1:" + port, certs
}

// TrustAnyone is for tests in which it does not matter who the server is.
func TrustAnyone() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // its own server, on loopback
}

// greets listens, says text to each that connects, and hangs up.
func greets(t testing.TB, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(text))
			_, _ = c.Read(make([]byte, 1)) // or closing would reset the connection
			_ = c.Close()
		}
	}()
	return "redis://" + l.Addr().String()
}

func withUser(url, user string) string {
	return strings.Replace(url, "://", "://"+user+"@", 1)
}

func ask(c redis.Conn, command string, args ...any) error {
	_, err := c.Do(command, args...)
	return err //nolint:wrapcheck // tests look at Redis's own words
}

// until looks again and again whether a server is in some state.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, time.Millisecond, what)
}

// StartTLS runs a server with a certificate of an authority of its own, and
// returns its URL and the authority's file.
func StartTLS(t testing.TB) (url, authority string) {
	t.Helper()
	port, certs := startTLS(t, "no")
	return "rediss://127.0.0.1:" + port, certs.Authority
}
