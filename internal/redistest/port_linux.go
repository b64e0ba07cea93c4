package redistest

import (
	"os"
	"syscall"
)

// reserve binds a socket to a port and does not listen. Connections are refused. A server
// can listen, because it allows to reuse the address, as does the socket once it is bound.
// Another call of reserve does not allow that while it binds, so it fails.
func reserve(port int) (release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err) //nolint:wrapcheck // names the call
	}
	if err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err == nil {
		err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}
	if err != nil {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("bind", err) //nolint:wrapcheck // names the call
	}
	return func() { _ = syscall.Close(fd) }, nil
}
