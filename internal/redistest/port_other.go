//go:build !linux

package redistest

import (
	"net"
	"strconv"
)

// reserve checks that nothing listens on a port.
func reserve(port int) (release func(), err error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx // at once
	if err != nil {
		return nil, err //nolint:wrapcheck // it has the address
	}
	return func() {}, l.Close() //nolint:wrapcheck // as above
}
