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

// dialer opens connections to a server.
type dialer struct {
	at      address
	tls     *tls.Config // nil without TLS
	timeout time.Duration
	options []redis.DialOption
	log     *slog.Logger
	warned  *atomic.Bool
	opened  func(net.Conn) // called with each network connection; may be nil
}

func newDialer(at address, cfg RedisConfig) *dialer {
	d := &dialer{at: at, tls: cfg.TLS, timeout: cfg.DialTimeout, log: cfg.Logger, warned: new(atomic.Bool)}
	d.options = []redis.DialOption{
		redis.DialReadTimeout(cfg.ReadTimeout),
		redis.DialWriteTimeout(cfg.WriteTimeout),
		redis.DialPassword(at.password),
		redis.DialDatabase(at.db),
	}
	return d
}

// to returns a dialer of another server, which calls opened with each network connection.
func (d *dialer) to(where string, opened func(net.Conn)) *dialer {
	other := *d
	other.at.where, other.opened = where, opened
	return &other
}

// dial is the pool's DialContext. If the server does not know the user, dial retries
// with the password only. Redis had no users before version 6, and some hosting
// providers still give out URLs with a user that has no meaning.
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
		return nil, err // the server has users: user or password is wrong
	}
	if !d.warned.Swap(true) {
		d.log.Warn("redis does not know the user in the address and accepted only the password: omit the user", "user", d.at.user)
	}
	return alone, nil
}

func (d *dialer) dialAs(ctx context.Context, user string) (redis.Conn, error) {
	options := append(slices.Clone(d.options), redis.DialUsername(user), redis.DialContextFunc(d.connect))
	c, err := redis.DialContext(ctx, d.at.network, d.at.where, options...)
	return c, store.Plain(err)
}

// connect opens the network connection, with TLS if it is configured.
func (d *dialer) connect(ctx context.Context, network, where string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	c, err := (&net.Dialer{KeepAlive: 5 * time.Minute}).DialContext(ctx, network, where)
	if err != nil {
		return nil, err //nolint:wrapcheck // Conn adds the address
	}
	if d.opened != nil {
		d.opened(c)
	}
	if d.tls == nil {
		return &greeting{Conn: c, wantsTLS: d.wantsTLS}, nil
	}
	secure := tls.Client(c, d.named())
	if err := d.shakeHands(ctx, secure); err != nil {
		_ = c.Close()
		return nil, err
	}
	return &greeting{Conn: secure}, nil
}

// named returns the TLS configuration with the name that the certificate must have.
func (d *dialer) named() *tls.Config {
	host, _, err := net.SplitHostPort(d.at.where)
	if err != nil || d.tls.ServerName != "" {
		return d.tls
	}
	named := d.tls.Clone()
	named.ServerName = host
	return named
}

// shakeHands performs the TLS handshake. It distinguishes a server without TLS from one
// that is slow: a Redis without TLS reads the handshake as the beginning of a command and
// waits for the rest.
func (d *dialer) shakeHands(ctx context.Context, secure *tls.Conn) error {
	const text = "the server does not answer the TLS handshake"
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { done <- secure.HandshakeContext(ctx) }()
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	select {
	case err := <-done:
		if err != nil && hungUp(err) {
			return &faultError{FaultNoTLS, text, err}
		}
		return err
	case <-patience.C:
	}
	if d.speaksPlain(ctx) {
		cancel()
		<-done //nolint:errcheck // it was canceled
		return &faultError{FaultNoTLS, text, nil}
	}
	return <-done
}

// speaksPlain reports whether a server that does not answer the TLS handshake answers
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

// wantsTLS reports whether a server that closed the connection uses TLS.
func (d *dialer) wantsTLS() bool {
	ctx, cancel := context.WithTimeout(context.Background(), min(d.timeout, time.Second))
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, d.at.network, d.at.where)
	if err != nil {
		return false
	}
	defer c.Close()
	// Only the handshake is sent over this connection.
	secure := tls.Client(c, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // see above
	err = secure.HandshakeContext(ctx)
	return err == nil || networkFault(err) == FaultTLSRefused
}

// greeting is a connection that checks the first bytes that it reads. They show what kind
// of server answers, which redigo's errors do not.
type greeting struct {
	net.Conn
	wantsTLS func() bool // called if the server closes the connection; nil with TLS
	heard    bool        // the first bytes have been read
	refused  error       // from the server's first answer
}

func (g *greeting) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	switch {
	case g.heard, n == 0 && err == nil:
		return n, err //nolint:wrapcheck // the caller expects the connection's error
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

// Write writes b. If that fails because the server has closed the connection before its
// first answer was read, Write reads that answer and returns its error.
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

// SetReadDeadline returns the server's refusal, if there was one. redigo calls it before
// each answer that it still expects, and closes the connection after the first error.
func (g *greeting) SetReadDeadline(t time.Time) error {
	if g.refused != nil {
		return g.refused
	}
	return g.Conn.SetReadDeadline(t) //nolint:wrapcheck // as above
}

func (g *greeting) closed(err error) error {
	if g.wantsTLS != nil && g.wantsTLS() {
		return &faultError{FaultTLSExpected, "the server requires TLS", err}
	}
	return &faultError{FaultClosed, "the server closed the connection without an answer", err}
}

// stranger returns an error if the first bytes from a server are not Redis's protocol, or
// are an error after which Redis closes the connection.
func stranger(first []byte) error {
	const (
		alert     = 21 // types of TLS records
		handshake = 22
	)
	switch {
	case bytes.HasPrefix(first, []byte("-ERR max number of clients")), bytes.HasPrefix(first, []byte("-DENIED ")):
		// Redis closes the connection after this and has executed no command.
		line, _, _ := bytes.Cut(first[1:], []byte("\r\n"))
		return redis.Error(line) //nolint:wrapcheck // the server's error, unchanged
	case strings.IndexByte("+-:$*_#,(=~%>!", first[0]) >= 0: // the types of RESP2 and RESP3
		return nil
	case bytes.HasPrefix(first, []byte("HTTP/")):
		return &faultError{FaultNotRedis, "the server answers with HTTP", nil}
	case first[0] == alert || first[0] == handshake:
		return &faultError{FaultTLSExpected, "the server requires TLS", nil}
	}
	return &faultError{FaultNotRedis, fmt.Sprintf("the server does not use Redis's protocol: it answered %.20q", first), nil}
}
