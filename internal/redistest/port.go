package redistest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// FreePort returns a TCP port of 127.0.0.1 for a server that the test starts, or for a
// test of an address at which nothing listens. Until the test ends, FreePort returns it
// to no other test, also of another process, so that a server can be stopped and started
// again. (Only on Linux. Elsewhere another test could get it before a server listens.)
//
// It is below the ports that systems give to outgoing connections and to listeners on
// port 0.
func FreePort(t testing.TB) string {
	t.Helper()
	var last error
	for range 1000 {
		port := 10_000 + rand.IntN(22_000)
		release, err := reserve(port)
		if err == nil {
			t.Cleanup(release)
			return strconv.Itoa(port)
		}
		last = err
	}
	require.NoError(t, last, "no port is free")
	return ""
}

// Listen listens at an address at which a server of this process listened. Programs that
// other tests start at this moment hold the old listener open until they run, which takes
// a while on a busy machine. Listen tries until then.
func Listen(t testing.TB, addr string) net.Listener {
	t.Helper()
	var l net.Listener
	var err error
	await(t, func() bool {
		l, err = net.Listen("tcp", addr) //nolint:noctx // at once
		return err == nil
	}, "the address is not free")
	return l
}
