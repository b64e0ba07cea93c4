package store

import (
	"context"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/rubyjson"
)

// interruptGrace is how long a command may continue when its context has ended. A Redis
// that works answers within this time, and so what the command has done is known.
const interruptGrace = 500 * time.Millisecond

// Interruptible returns a Redis like rdb whose connections break soon after the context of
// Conn has ended. So a command does not wait for the read timeout if Redis hangs. Without
// it, contexts end only the wait for a connection, because each use costs some time.
func Interruptible(rdb Redis) Redis { return interruptible{rdb} }

type interruptible struct{ Redis }

// InspectsAsRuby34 is that of the Redis inside: see New.
func (r interruptible) InspectsAsRuby34() bool { return inspectOf(r.Redis) == rubyjson.Ruby34 }

func (r interruptible) Conn(ctx context.Context) (redis.Conn, error) {
	rc, err := r.Redis.Conn(ctx)
	if err != nil {
		return nil, err
	}
	c := &interruptedConn{Conn: rc, ended: make(chan struct{}), closed: make(chan struct{})}
	c.stop = context.AfterFunc(ctx, c.interrupt)
	return c, nil
}

// interruptedConn is a connection that breaks when a context has ended.
type interruptedConn struct {
	redis.Conn
	stop   func() bool
	closed chan struct{} // closed by Close
	ended  chan struct{} // closed when interrupt has ended
	once   sync.Once
}

// interrupt breaks the connection, unless Close is called soon.
func (c *interruptedConn) interrupt() {
	defer close(c.ended)
	grace := time.NewTimer(interruptGrace)
	defer grace.Stop()
	select {
	case <-c.closed:
	case <-grace.C:
		breakConn(c.Conn)
	}
}

// Close returns the connection to the pool.
func (c *interruptedConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		if !c.stop() {
			<-c.ended
		}
	})
	return c.Conn.Close()
}

func (c *interruptedConn) DoWithTimeout(timeout time.Duration, command string, args ...any) (any, error) {
	return redis.DoWithTimeout(c.Conn, timeout, command, args...)
}

func (c *interruptedConn) ReceiveWithTimeout(timeout time.Duration) (any, error) {
	return redis.ReceiveWithTimeout(c.Conn, timeout)
}

func (c *interruptedConn) DoContext(ctx context.Context, command string, args ...any) (any, error) {
	return redis.DoContext(c.Conn, ctx, command, args...)
}

func (c *interruptedConn) ReceiveContext(ctx context.Context) (any, error) {
	return redis.ReceiveContext(c.Conn, ctx)
}

// breakConn closes the network connection of c, which another goroutine may use. redigo
// does it when a deadline has passed.
func breakConn(c redis.Conn) {
	past, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	_, _ = redis.ReceiveContext(c, past)
}
