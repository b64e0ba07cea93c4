package redistest

import (
	"net"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFreePortIsReserved(t *testing.T) {
	t.Parallel()
	var port int
	t.Run("until the test ends", func(t *testing.T) {
		text := FreePort(t)
		addr := net.JoinHostPort("127.0.0.1", text)
		port, _ = strconv.Atoi(text)
		_, err := net.Dial("tcp", addr)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		for range 3 {
			_, err = reserve(port)
			require.ErrorIs(t, err, syscall.EADDRINUSE)
			l := Listen(t, addr)
			_, err = reserve(port)
			require.ErrorIs(t, err, syscall.EADDRINUSE, "a server listens")
			c, err := net.Dial("tcp", addr)
			require.NoError(t, err)
			require.NoError(t, c.Close())
			require.NoError(t, l.Close())
		}
	})
	await(t, func() bool {
		release, err := reserve(port)
		if err == nil {
			release()
		}
		return err == nil
	}, "the port is still reserved")
}
