package resque

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/store"
)

// locator finds the server that takes writes.
type locator interface {
	// locate returns the address of that server. Sentinels and nodes learn of a new
	// master at different times: locate returns an error if all name the server except,
	// which is empty at first.
	locate(ctx context.Context, except string) (where string, err error)

	// check returns an error if a new connection is not to such a server.
	check(ctx context.Context, c redis.Conn) error

	// explain returns a better error for one that occurred while connecting to the only
	// server that locate returns.
	explain(ctx context.Context, err error) error

	// refused reports that the server that locate returned takes no writes.
	refused()

	// watch calls moved whenever it learns the address of the server, until ctx ends.
	watch(ctx context.Context, moved func(where string))
}

// follower is a source of connections to a server that may change, because a replica is
// promoted or a cluster moves the keys. Each new connection is to the server that the
// locator returns. When another server is found, or the server refuses a command because
// it is not the right one any more, the pool is replaced.
type follower struct {
	locator locator
	dialer  *dialer
	cfg     RedisConfig
	log     *slog.Logger

	watching sync.WaitGroup
	ctx      context.Context //nolint:containedctx // ends with Close; for the goroutine of watch
	stop     context.CancelFunc

	mu      sync.Mutex
	current *generation
	open    map[*followed]bool
	last    string // the server of the last connection
	started bool   // watch runs
	closed  bool
}

// generation is a pool whose connections are all to one server.
type generation struct {
	pool  *redis.Pool
	where string // of the server; empty before the first connection. Guarded by follower.mu
}

// grace is how long a command may go on on a server that refuses writes. Its reply says
// whether it was refused, too.
const grace = time.Second

var errMoved = errors.New("another server has become the master")

func newFollower(l locator, at address, cfg RedisConfig) *follower {
	f := &follower{locator: l, dialer: newDialer(at, cfg), cfg: cfg, log: cfg.Logger, open: map[*followed]bool{}}
	f.ctx, f.stop = context.WithCancel(context.Background())
	f.current = f.newGeneration()
	return f
}

func (f *follower) newGeneration() *generation {
	g := &generation{}
	g.pool = newPool(f.cfg, func(ctx context.Context) (redis.Conn, error) { return f.dial(ctx, g) })
	return g
}

// GetContext returns a connection to the current server.
func (f *follower) GetContext(ctx context.Context) (redis.Conn, error) {
	const tries = 3
	for try := 1; ; try++ {
		g := f.start()
		c, err := g.pool.GetContext(ctx)
		if err == nil || try == tries || !f.replaced(g) {
			return c, err //nolint:wrapcheck // Redis.Conn adds the address
		}
	}
}

// start starts to watch the locator, once, and returns the current generation.
func (f *follower) start() *generation {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.started && !f.closed {
		f.started = true
		f.watching.Go(func() { f.locator.watch(f.ctx, f.moved) })
	}
	return f.current
}

func (f *follower) replaced(g *generation) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current != g && !f.closed
}

// Close closes idle connections, and ends the goroutine that watches the locator.
func (f *follower) Close() error {
	f.mu.Lock()
	f.closed = true
	pool := f.current.pool
	f.mu.Unlock()
	f.stop()
	f.watching.Wait()
	return pool.Close() //nolint:wrapcheck // Redis.Close adds the address
}

// dial opens a connection of a generation. If the server that one Sentinel or node names
// does not answer or is not the master any more, another one may name a newer master.
func (f *follower) dial(ctx context.Context, g *generation) (redis.Conn, error) {
	where, err := f.locator.locate(ctx, "")
	if err != nil {
		return nil, err
	}
	c, failed := f.connect(ctx, where)
	if code := faultCode(failed); code == FaultFailover || code == FaultCluster || code == FaultClusterDown || away(code) {
		if where, err = f.locator.locate(ctx, where); err != nil {
			return nil, f.locator.explain(ctx, failed)
		}
		c, failed = f.connect(ctx, where)
	}
	if failed != nil {
		return nil, failed
	}
	if c.generation = g; !f.add(c) {
		_ = c.Conn.Close()
		return nil, errMoved
	}
	return c, nil
}

// connect opens a connection to a server and checks that it is the right one.
func (f *follower) connect(ctx context.Context, where string) (*followed, error) {
	c := &followed{follower: f, where: where}
	var err error
	c.Conn, err = f.dialer.to(where, func(n net.Conn) { c.network = n }).dial(ctx)
	if err == nil {
		if err = f.locator.check(ctx, c.Conn); err != nil {
			_ = c.Conn.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("master at %s: %w", where, err)
	}
	return c, nil
}

// add adds a new connection to its generation. It returns false if the generation has
// been replaced, also because the connection is to another server.
func (f *follower) add(m *followed) bool {
	g := m.generation
	f.mu.Lock()
	if g.where != "" && g.where != m.where {
		old := f.replaceLocked(g)
		f.cutLocked(func(old *followed) bool { return old.where != m.where })
		f.mu.Unlock()
		closeIdle(old)
		return false
	}
	defer f.mu.Unlock()
	if g != f.current || f.closed {
		return false
	}
	if f.last != "" && f.last != m.where {
		f.log.Info("another server is the master", "from", f.last, "to", m.where)
	}
	g.where, f.last = m.where, m.where
	f.open[m] = true
	return true
}

func (f *follower) remove(m *followed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, m)
}

// moved closes all connections that are not to the server at where, also those in use:
// what another server still accepts would be lost.
func (f *follower) moved(where string) {
	var old *redis.Pool
	f.mu.Lock()
	if g := f.current; g.where != "" && g.where != where {
		old = f.replaceLocked(g)
	}
	f.cutLocked(func(m *followed) bool { return m.where != where })
	f.mu.Unlock()
	closeIdle(old)
}

// lost replaces the generation of a connection that broke, because its idle connections
// are probably broken as well. Those in use are left alone.
func (f *follower) lost(m *followed) {
	f.mu.Lock()
	old := f.replaceLocked(m.generation)
	f.mu.Unlock()
	closeIdle(old)
}

// demoted replaces the generation of a connection whose server refuses commands because
// it is not the right one. Connections in use are closed after a moment.
func (f *follower) demoted(m *followed) {
	f.mu.Lock()
	old := f.replaceLocked(m.generation)
	f.mu.Unlock()
	if old == nil {
		return // another connection has reported it
	}
	closeIdle(old)
	f.locator.refused()
	time.AfterFunc(grace, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.cutLocked(func(old *followed) bool { return old.where == m.where && old.generation != f.current })
	})
}

// replaceLocked starts a new generation and returns the pool of g, or nil if g has been
// replaced before.
func (f *follower) replaceLocked(g *generation) *redis.Pool {
	if g != f.current || f.closed {
		return nil
	}
	f.current = f.newGeneration()
	return g.pool
}

// closeIdle closes the idle connections of a pool that has been replaced. It must be
// called without the lock, because each of them calls remove.
func closeIdle(old *redis.Pool) {
	if old != nil {
		_ = old.Close()
	}
}

// cutLocked closes the network connections that match. The calls that use them return an
// error.
func (f *follower) cutLocked(match func(*followed) bool) {
	for m := range f.open {
		if match(m) {
			_ = m.network.Close()
		}
	}
}

// followed is a connection of a generation. It reports to the follower that its server
// refuses commands or is gone.
type followed struct {
	redis.Conn
	follower   *follower
	generation *generation
	where      string
	network    net.Conn
}

var _ interface {
	redis.ConnWithTimeout
	redis.ConnWithContext
} = (*followed)(nil)

// Close closes the connection.
func (m *followed) Close() error {
	m.follower.remove(m)
	return m.Conn.Close() //nolint:wrapcheck // as all methods below, it returns what redigo returns
}

// Do sends a command and returns its reply.
func (m *followed) Do(command string, args ...any) (any, error) {
	reply, err := m.Conn.Do(command, args...)
	return reply, m.note(err)
}

// DoWithTimeout is Do with a read timeout.
func (m *followed) DoWithTimeout(timeout time.Duration, command string, args ...any) (any, error) {
	reply, err := redis.DoWithTimeout(m.Conn, timeout, command, args...)
	return reply, m.note(err)
}

// DoContext is Do until ctx ends.
func (m *followed) DoContext(ctx context.Context, command string, args ...any) (any, error) {
	reply, err := redis.DoContext(m.Conn, ctx, command, args...)
	return reply, m.note(err)
}

// Receive returns a reply.
func (m *followed) Receive() (any, error) {
	reply, err := m.Conn.Receive()
	return reply, m.note(err)
}

// ReceiveWithTimeout is Receive with a read timeout.
func (m *followed) ReceiveWithTimeout(timeout time.Duration) (any, error) {
	reply, err := redis.ReceiveWithTimeout(m.Conn, timeout)
	return reply, m.note(err)
}

// ReceiveContext is Receive until ctx ends.
func (m *followed) ReceiveContext(ctx context.Context) (any, error) {
	reply, err := redis.ReceiveContext(m.Conn, ctx)
	return reply, m.note(err)
}

// Send adds a command to those to send.
func (m *followed) Send(command string, args ...any) error {
	return m.note(m.Conn.Send(command, args...))
}

// Flush sends commands.
func (m *followed) Flush() error { return m.note(m.Conn.Flush()) }

// note tells the follower what an error says about the server, and returns the error.
func (m *followed) note(err error) error {
	if err == nil {
		return nil
	}
	switch code := faultCode(store.Plain(err)); {
	case code == FaultReadOnly, code == FaultMasterDown, code == FaultLoading, code == FaultClusterDown,
		code == FaultCluster && !strings.HasPrefix(err.Error(), "CROSSSLOT"):
		m.follower.demoted(m)
	case code == FaultLost, code == FaultClosed:
		m.follower.lost(m)
	}
	return err
}
