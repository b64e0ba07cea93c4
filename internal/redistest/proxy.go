package redistest

import (
	"bytes"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Proxy forwards connections to a Redis server. It can break, delay or lose their
// data.
type Proxy struct {
	URL string

	cut   atomic.Bool
	hold  sync.RWMutex
	epoch atomic.Int64 // odd during Silence
	held  atomic.Pointer[held]
	watch atomic.Pointer[func(commands []byte) bool]

	clock    atomic.Int64 // the seconds by which Redis's clock seems to be wrong
	replaced atomic.Pointer[[2][]byte]
	refusing atomic.Bool
	refused  atomic.Int64
}

// held is a call of HoldCommands.
type held struct {
	text  []byte
	until chan struct{} // closed by release
}

// Proxy starts a proxy for s that ends when the test ends.
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

// Cut drops the next reply and closes its connection. Redis has run the command.
// Later replies arrive again.
func (p *Proxy) Cut() { p.cut.Store(true) }

// Hold delays all replies until release is called.
func (p *Proxy) Hold() (release func()) {
	p.hold.Lock()
	return p.hold.Unlock
}

// SetClock makes the replies of TIME differ by d, as if Redis's clock had jumped. A reply
// that arrives in two parts is not changed.
func (p *Proxy) SetClock(d time.Duration) { p.clock.Store(int64(d / time.Second)) }

var timeReply = regexp.MustCompile(`\*2\r\n\$10\r\n(\d{10})\r\n\$\d\r\n\d{1,6}\r\n`)

// Replace makes Redis's replies have the text lie in place of truth, which is as long. A text
// that arrives in two parts is not changed.
func (p *Proxy) Replace(truth, lie string) { p.replaced.Store(&[2][]byte{[]byte(truth), []byte(lie)}) }

// lie changes a part of the data that Redis sends, as SetClock and Replace say.
func (p *Proxy) lie(data []byte) {
	if r := p.replaced.Load(); r != nil {
		copy(data, bytes.ReplaceAll(data, r[0], r[1]))
	}
	off := p.clock.Load()
	if off == 0 {
		return
	}
	for _, at := range timeReply.FindAllSubmatchIndex(data, -1) {
		if seconds, err := strconv.ParseInt(string(data[at[2]:at[3]]), 10, 64); err == nil {
			copy(data[at[2]:at[3]], strconv.FormatInt(seconds+off, 10))
		}
	}
}

// Refuse closes new connections at once, until end is called. The function refused
// returns how many were closed.
func (p *Proxy) Refuse() (refused func() int64, end func()) {
	p.refusing.Store(true)
	return p.refused.Load, func() { p.refusing.Store(false) }
}

// HoldCommands does not forward commands that contain text, or later commands on the
// same connections, until release is called.
func (p *Proxy) HoldCommands(text string) (release func()) {
	h := &held{[]byte(text), make(chan struct{})}
	p.held.Store(h)
	return sync.OnceFunc(func() {
		p.held.Store(nil)
		close(h.until)
	})
}

// Watch calls fn with all that clients send from now on, before it is forwarded, and
// closes the connection instead if fn returns false. A small command or pipeline comes in
// one call. Several connections may call fn at the same time.
func (p *Proxy) Watch(fn func(commands []byte) bool) { p.watch.Store(&fn) }

// pass copies commands from a client to Redis.
func (p *Proxy) pass(server io.Writer, client io.Reader) {
	buf := make([]byte, 64<<10)
	var last []byte // the end of the last read: the text may be split between two reads
	for {
		n, err := client.Read(buf)
		if h := p.held.Load(); h != nil {
			seen := append(last, buf[:n]...)
			if bytes.Contains(seen, h.text) {
				<-h.until
			}
			last = bytes.Clone(seen[max(0, len(seen)-len(h.text)+1):])
		}
		if fn := p.watch.Load(); fn != nil && n > 0 && !(*fn)(buf[:n]) {
			return
		}
		if _, werr := server.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// Silence makes the network fail without closing a connection, as when a cable is
// unplugged or a firewall forgets its connections: data in both directions is
// lost. After end is called, new connections work. Connections that were opened
// before or during the silence never do.
func (p *Proxy) Silence() (end func()) {
	p.epoch.Add(1)
	return func() { p.epoch.Add(1) }
}

// lossyWriter writes to one end of a connection. It discards everything after a
// silence has begun.
type lossyWriter struct {
	io.Writer
	p     *Proxy
	epoch int64 // when the connection was opened
}

func (w *lossyWriter) Write(b []byte) (int, error) {
	if w.epoch%2 == 1 || w.p.epoch.Load() != w.epoch {
		return len(b), nil
	}
	return w.Writer.Write(b) //nolint:wrapcheck // the error of the connection
}

func (p *Proxy) serve(client net.Conn, addr string) {
	defer client.Close()
	if p.refusing.Load() {
		p.refused.Add(1)
		return
	}
	epoch := p.epoch.Load()
	server, err := net.Dial("tcp", addr) //nolint:noctx // at once, on this machine
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		p.pass(&lossyWriter{server, p, epoch}, client)
		_ = server.Close()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		if p.cut.CompareAndSwap(true, false) {
			_ = server.(*net.TCPConn).CloseWrite() // Redis runs all commands that it was sent
			_, _ = io.Copy(io.Discard, server)
			return
		}
		p.lie(buf[:n])
		p.hold.RLock()
		_, err = (&lossyWriter{client, p, epoch}).Write(buf[:n])
		p.hold.RUnlock()
		if err != nil {
			return
		}
	}
}
