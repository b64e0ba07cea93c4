package resque_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// Explain returns the right fault, whichever call fails. Only a fault that may end without
// a change is temporary.
func TestExplainNamesTheCause(t *testing.T) {
	t.Parallel()
	running := map[resque.FaultCode]bool{resque.FaultUnreachable: true} // the only one that may ask whether Redis runs
	for _, server := range redistest.FaultyServers() {
		t.Run(server.Name, func(t *testing.T) {
			t.Parallel()
			rdb, err := resque.Open(resque.RedisConfig{URL: server.Start(t)})
			require.NoError(t, err)
			t.Cleanup(func() { _ = rdb.Close() })
			client, err := resque.New(rdb, resque.Config{})
			require.NoError(t, err)
			_, read := client.Queues(t.Context())
			_, write := client.Enqueue(t.Context(), resque.Job{Queue: "q", Class: "A", Args: []any{"s3cretArg"}})
			_, _, script := client.RemoveQueue(t.Context(), "q")
			for name, err := range map[string]error{"read": read, "write": write, "script": script} {
				if name == "read" && server.Writes {
					require.NoError(t, err)
					continue
				}
				if server.Code == resque.FaultCommand && name == "script" && err == nil {
					continue // it is not one of the renamed
				}
				require.Error(t, err, name)
				fault, ok := resque.Explain(err)
				require.True(t, ok, "%s: %v", name, err)
				want := server.Code
				if name == "write" || name == "script" && server.Writes { // RemoveQueue also reads
					want = cmp.Or(server.WriteCode, want)
				}
				assert.Equal(t, want, fault.Code, "%s: %v", name, err)
				assert.Equal(t, running[fault.Code], strings.Contains(fault.Advice, "Is it running?"), fault.Advice)
				assert.NotContains(t, err.Error(), "user_script")
				assert.NotContains(t, err.Error(), "s3cret")
				assert.NotContains(t, err.Error(), "guessed")
			}
		})
	}
}

func TestExplainTellsSilenceFromALostConnection(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	proxy := s.Proxy(t)
	proxy.Silence() // from the first command on: no answer has to come within the short timeout
	rdb, err := resque.Open(resque.RedisConfig{URL: proxy.URL, ReadTimeout: 50 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { _ = rdb.Close() })
	code := func(err error) resque.FaultCode {
		require.Error(t, err)
		fault, ok := resque.Explain(err)
		require.True(t, ok, err)
		assert.True(t, fault.Temporary)
		return fault.Code
	}
	assert.Equal(t, resque.FaultTimeout, code(rdb.Ping(t.Context())))
	rdb, err = resque.Open(resque.RedisConfig{URL: s.URL})
	require.NoError(t, err)
	t.Cleanup(func() { _ = rdb.Close() })
	require.NoError(t, rdb.Ping(t.Context()))
	process, err := os.FindProcess(s.PID)
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	assert.Equal(t, resque.FaultLost, code(rdb.Ping(t.Context())))
}

func TestExplainBlamesTheServersRefusalOfTLS(t *testing.T) {
	t.Parallel()
	url, _ := redistest.StartWantsClientCertificate(t)
	rdb, err := resque.Open(resque.RedisConfig{URL: url, TLS: redistest.TrustAnyone()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = rdb.Close() })
	err = rdb.Ping(t.Context())
	require.Error(t, err)
	fault, ok := resque.Explain(err)
	require.True(t, ok)
	assert.Equal(t, resque.FaultTLSRefused, fault.Code, err)
}

func TestExplainSaysNothingOfOtherErrors(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	rdb, err := resque.Open(resque.RedisConfig{URL: l.Addr().String()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = rdb.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	pinged := make(chan error, 1)
	go func() { pinged <- rdb.Ping(ctx) }()
	c, err := l.Accept() // it is connected, and waits for an answer
	require.NoError(t, err)
	defer c.Close()
	cancel()
	for _, err := range []error{nil, <-pinged, rdb.Ping(ctx), errors.New("LOADING"), resque.ErrAddress, context.Canceled} {
		_, ok := resque.Explain(err)
		assert.False(t, ok, err)
	}
}

// These answers come from other versions, from a proxy or only to other machines. No
// server of these tests gives them.
func TestExplainReadsTheAnswersOfOtherServers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]resque.FaultCode{
		"DENIED Redis is running in protected mode because protected mode is enabled": resque.FaultProtected,
		"ERR Protocol error: unauthenticated multibulk length":                        resque.FaultPassword, // a command with many arguments
		"ERR Protocol error: unauthenticated bulk length":                             resque.FaultPassword, // a large argument
		"ERR invalid password":                                                resque.FaultPassword,
		"ERR Client sent AUTH, but no password is set":                        resque.FaultPassword,
		"ERR operation not permitted":                                         resque.FaultPassword,
		"ERR invalid DB index":                                                resque.FaultDatabase,
		"ERR SELECT is not allowed in cluster mode":                           resque.FaultDatabase,
		"EXECABORT Transaction discarded because of: OOM command not allowed": resque.FaultMemory,
		"TRYAGAIN Multiple keys request during rehashing of slot":             resque.FaultClusterDown,
		"CROSSSLOT Keys in request don't hash to the same slot":               resque.FaultCluster,
		"NOPERM ACL failure in script: User ann has no permissions":           resque.FaultPermission,
		"ERR max number of clients + cluster connections reached":             resque.FaultMaxClients,
		"ERR something new":                                                   resque.FaultRefused,
		"SOMETHING new":                                                       resque.FaultRefused,
	} {
		fault, ok := resque.Explain(fmt.Errorf("asking: %w", redis.Error(text)))
		assert.True(t, ok, text)
		assert.Equal(t, want, fault.Code, text)
	}
}

func TestEveryFaultHasWords(t *testing.T) {
	t.Parallel()
	seen := map[string]resque.FaultCode{}
	for _, text := range []string{
		"LOADING", "MASTERDOWN", "BUSY", "ERR max number of clients reached", "NOAUTH", "DENIED", "NOPERM", "ERR DB index is out of range",
		"WRONGTYPE", "ERR unknown command", "READONLY", "OOM", "MISCONF", "NOREPLICAS", "MOVED", "CLUSTERDOWN", "ERR x",
	} {
		fault, _ := resque.Explain(redis.Error(text))
		assert.NotEmpty(t, fault.Cause)
		assert.NotRegexp(t, `\.$`, fault.Cause)
		assert.Regexp(t, `\.$`, fault.Advice)
		assert.Empty(t, seen[fault.Cause], "%s has the words of %s", fault.Code, seen[fault.Cause])
		seen[fault.Cause] = fault.Code
	}
}
