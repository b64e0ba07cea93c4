package resque

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/store"
)

// dialer makes the connections of a pool.
type dialer struct {
	at      address
	tls     *tls.Config // nil for none
	timeout time.Duration
	options []redis.DialOption
	log     *slog.Logger
	warned  atomic.Bool
}

func newDialer(at address, cfg RedisConfig) *dialer {
	d := &dialer{at: at, tls: cfg.TLS, timeout: cfg.DialTimeout, log: cfg.Logger}
	d.options = []redis.DialOption{
		redis.DialContextFunc(d.connect),
		redis.DialReadTimeout(cfg.ReadTimeout),
		redis.DialWriteTimeout(cfg.WriteTimeout),
		redis.DialPassword(at.password),
		redis.DialDatabase(at.db),
	}
	return d
}

// dial is a pool's DialContext. A server that does not know the user may still
// take the password alone: before Redis 6 there were no users, and hosts give
// URLs with one that means nothing.
//
// Ruby: RedisClient does the same, with a warning.
func (d *dialer) dial(ctx context.Context) (redis.Conn, error) {
	if d.at.user == "" || d.at.password == "" {
		return d.dialAs(ctx, "")
	}
	c, err := d.dialAs(ctx, d.at.user)
	if faultCode(err) != FaultPassword {
		return c, err
	}
	alone, bad := d.dialAs(ctx, "")
	if bad != nil {
		return nil, err
	}
	if users, _ := redis.Strings(redis.DoContext(alone, ctx, "ACL", "USERS")); len(users) > 1 {
		_ = alone.Close()
		return nil, err // it has users, and this one's name or password is wrong
	}
	if !d.warned.Swap(true) {
		d.log.Warn("redis does not know the user of the address, and took the password alone: leave the user out", "user", d.at.user)
	}
	return alone, nil
}

func (d *dialer) dialAs(ctx context.Context, user string) (redis.Conn, error) {
	options := append(slices.Clone(d.options), redis.DialUsername(user))
	c, err := redis.DialContext(ctx, d.at.network, d.at.where, options...)
	return c, store.Plain(err)
}

// connect opens the connection that Redis is spoken to over.
func (d *dialer) connect(ctx context.Context, network, where string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	c, err := (&net.Dialer{KeepAlive: 5 * time.Minute}).DialContext(ctx, network, where)
	if err != nil {
		return nil, err //nolint:wrapcheck // Conn says where it was connecting to
	}
	if d.tls == nil {
		return &greeting{Conn: c, wantsTLS: d.wantsTLS}, nil
	}
	secure := tls.Client(c, d.tls)
	if err := d.shakeHands(ctx, secure); err != nil {
		_ = c.Close()
		return nil, err
	}
	return &greeting{Conn: secure}, nil
}

// shakeHands tells a server without TLS from one that is slow. A Redis without TLS
// takes the handshake for the beginning of a command, and waits for the rest.
func (d *dialer) shakeHands(ctx context.Context, secure *tls.Conn) error {
	const words = "the server does not answer the TLS handshake"
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { done <- secure.HandshakeContext(ctx) }()
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	select {
	case err := <-done:
		if err != nil && hungUp(err) {
			return &faultError{FaultNoTLS, words, err}
		}
		return err
	case <-patience.C:
	}
	if d.speaksPlain(ctx) {
		cancel()
		<-done //nolint:errcheck // it was cancelled
		return &faultError{FaultNoTLS, words, nil}
	}
	return <-done
}

// speaksPlain reports whether a server that does not answer a handshake answers
// without TLS.
func (d *dialer) speaksPlain(ctx context.Context) bool {
	c, err := new(net.Dialer).DialContext(ctx, d.at.network, d.at.where)
	if err != nil {
		return false
	}
	defer c.Close()
	if c.SetDeadline(time.Now().Add(time.Second)) != nil {
		return false
	}
	answer := make([]byte, 1)
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	n, _ := c.Read(answer)
	return n == 1 && (answer[0] == '+' || answer[0] == '-')
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// wantsTLS reports whether a server that hung up on us speaks TLS.
func (d *dialer) wantsTLS() bool {
	ctx, cancel := context.WithTimeout(context.Background(), min(d.timeout, time.Second))
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, d.at.network, d.at.where)
	if err != nil {
		return false
	}
	defer c.Close()
	// Nothing is sent over it but the handshake.
	secure := tls.Client(c, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // see above
	err = secure.HandshakeContext(ctx)
	return err == nil || networkFault(err) == FaultTLSRefused
}

// greeting is a connection that looks at the first bytes that come: they show
// what it is that answers, which redigo's errors do not.
type greeting struct {
	net.Conn
	wantsTLS func() bool // asked if the server hangs up; nil over TLS
	heard    bool
	refused  error // what the server said before it hung up
}

func (g *greeting) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	switch {
	case g.heard, n == 0 && err == nil:
		return n, err //nolint:wrapcheck // as if g were not there
	case n == 0 && hungUp(err):
		return 0, g.closed(err)
	case n == 0:
		return 0, err //nolint:wrapcheck // as above
	}
	g.heard = true
	if g.refused = stranger(b[:n]); g.refused != nil {
		return 0, g.refused
	}
	return n, err //nolint:wrapcheck // as above
}

// Write reads what the server said before it hung up: after that it cannot be
// written to.
func (g *greeting) Write(b []byte) (int, error) {
	n, err := g.Conn.Write(b)
	if err == nil || g.heard || !hungUp(err) {
		return n, err //nolint:wrapcheck // as above
	}
	said := make([]byte, 128)
	if g.SetReadDeadline(time.Now().Add(time.Second)) != nil {
		return n, err //nolint:wrapcheck // as above
	}
	if _, told := g.Read(said); told != nil {
		err = told
	}
	return n, err
}

// SetReadDeadline fails with the refusal: redigo calls it before each answer that
// it still expects, and closes the connection after the first error.
func (g *greeting) SetReadDeadline(t time.Time) error {
	if g.refused != nil {
		return g.refused
	}
	return g.Conn.SetReadDeadline(t) //nolint:wrapcheck // as above
}

func (g *greeting) closed(err error) error {
	if g.wantsTLS != nil && g.wantsTLS() {
		return &faultError{FaultTLSExpected, "the server wants TLS", err}
	}
	return &faultError{FaultClosed, "the connection was closed without an answer", err}
}

// stranger returns an error if what a server says first is not Redis's protocol,
// or is its last word.
func stranger(first []byte) error {
	const (
		alert     = 21 // types of TLS records
		handshake = 22
	)
	switch {
	case bytes.HasPrefix(first, []byte("-ERR max number of clients")), bytes.HasPrefix(first, []byte("-DENIED ")):
		// It hangs up after this, and has done nothing that it was asked.
		line, _, _ := bytes.Cut(first[1:], []byte("\r\n"))
		return redis.Error(line) //nolint:wrapcheck // the error is the server's own
	case strings.IndexByte("+-:$*_#,(=~%>!", first[0]) >= 0: // the types of RESP2 and RESP3
		return nil
	case bytes.HasPrefix(first, []byte("HTTP/")):
		return &faultError{FaultNotRedis, "an HTTP server answers there", nil}
	case first[0] == alert || first[0] == handshake:
		return &faultError{FaultTLSExpected, "the server wants TLS", nil}
	}
	return &faultError{FaultNotRedis, fmt.Sprintf("what answers there does not speak Redis's protocol: %.20q", first), nil}
}
