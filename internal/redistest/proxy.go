package redistest

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxy stands between a client and its Redis and can keep the replies.
type Proxy struct {
	URL string

	cut   atomic.Bool
	hold  sync.RWMutex
	epoch atomic.Int64 // odd while the line is silent
}

// Proxy starts a proxy before s that ends with the test.
func (s *Server) Proxy(t testing.TB) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	p := &Proxy{URL: "redis://" + l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client, strings.TrimPrefix(s.URL, "redis://"))
		}
	}()
	return p
}

// Cut has the next reply not arrive: Redis has done what it was asked, and the
// connection breaks. Those after it are passed on again.
func (p *Proxy) Cut() { p.cut.Store(true) }

// Hold keeps all replies back until the returned function is called.
func (p *Proxy) Hold() (release func()) {
	p.hold.Lock()
	return p.hold.Unlock
}

// Silence has the line go dead without a word, as when a cable is pulled or a
// firewall forgets its connections: what is sent is swallowed, and nothing is
// closed. After the returned function is called, new connections work; those
// from before or meanwhile stay dead.
func (p *Proxy) Silence() (end func()) {
	p.epoch.Add(1)
	return func() { p.epoch.Add(1) }
}

// mortal is one side of a connection; what is written to it once the line has
// gone dead is lost.
type mortal struct {
	io.Writer
	p    *Proxy
	born int64
}

func (m *mortal) Write(b []byte) (int, error) {
	if m.born%2 == 1 || m.p.epoch.Load() != m.born {
		return len(b), nil
	}
	return m.Writer.Write(b) //nolint:wrapcheck // as if m were not there
}

func (p *Proxy) serve(client net.Conn, addr string) {
	defer client.Close()
	born := p.epoch.Load()
	server, err := net.Dial("tcp", addr) //nolint:noctx // at once, on this machine
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(&mortal{server, p, born}, client)
		_ = server.Close()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		if p.cut.CompareAndSwap(true, false) {
			_ = server.(*net.TCPConn).CloseWrite() // what was sent is done to its end
			_, _ = io.Copy(io.Discard, server)
			return
		}
		p.hold.RLock()
		_, err = (&mortal{client, p, born}).Write(buf[:n])
		p.hold.RUnlock()
		if err != nil {
			return
		}
	}
}
