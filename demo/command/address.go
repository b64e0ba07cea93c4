package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// address is the host and port of the --addr flag.
type address struct{ host, port string }

func defaultAddress() address { return address{"127.0.0.1", "3000"} }

// Set parses a port or host:port. Without a host it means loopback, so that other
// machines can connect only if the user names a host.
func (a *address) Set(text string) error {
	host, port, err := net.SplitHostPort(text)
	if !strings.Contains(text, ":") {
		host, port, err = "", text, nil
	}
	if err != nil {
		return errors.New("not a port or host:port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("port %q is not a number from 0 to 65535", port)
	}
	if host == "" {
		host = defaultAddress().host
	}
	*a = address{host, port}
	return nil
}

func (a *address) String() string { return net.JoinHostPort(a.host, a.port) }

// Type returns the name of the value in the flag's help.
func (a *address) Type() string { return "address" }

func (a *address) listen(ctx context.Context) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.String())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use by another program; choose another port with PORT=4000 or --addr 4000", a)
	case err != nil:
		return nil, fmt.Errorf("the web app cannot listen on %s: %v; choose another address with PORT or --addr", a, err) //nolint:errorlint // it is not a fault of Redis, and must not be explained as one
	}
	return l, nil
}

// hosts returns the host names that the web app accepts. If other machines can
// connect it returns nil, which means any.
func (a *address) hosts(l net.Listener) []string {
	if tcp, ok := l.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return nil
	}
	return []string{"localhost", "127.0.0.1", "::1", strings.ToLower(a.host)}
}

// webURL returns the URL to open in a browser on this machine.
func webURL(l net.Listener) string {
	host, port, err := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + "/exports"
}
