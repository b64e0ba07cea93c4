package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Redis is where connections and the namespace come from; resque.Redis is one.
type Redis interface {
	// Conn returns a connection, which the caller closes.
	Conn(ctx context.Context) (redis.Conn, error)
	// Key joins parts with colons below the namespace.
	Key(parts ...string) string
}

// Store runs Resque's commands on a Redis. It is safe for concurrent use and
// holds no connection of its own.
type Store struct {
	rdb     Redis
	keys    keys
	scripts scripts
	known   sync.Map // worker id → *words
	pushes  combiner
	looked  atomic.Pointer[looked]
}

// scripts are the store's, each with its contract in its own file.
type scripts struct {
	exchange, rewrite, prune           *redis.Script
	register, release, retire          *redis.Script
	failed, failedClear, failedRestore *redis.Script
	failedRetried, trashes             *redis.Script
	dequeue                            *redis.Script
	queueRemove, queueForget           *redis.Script
	describe, readKey                  *redis.Script
}

// New returns a store on rdb.
func New(rdb Redis) *Store {
	return &Store{
		rdb:  rdb,
		keys: keys{rdb},
		scripts: scripts{
			exchange: redis.NewScript(-1, settleLua+exchangeLua),
			rewrite:  redis.NewScript(-1, rewriteLua),
			prune:    redis.NewScript(-1, settleLua+pruneLua),
			register: redis.NewScript(-1, registerLua),
			release:  redis.NewScript(-1, releaseLua),
			retire:   redis.NewScript(-1, retireLua),

			failed:        redis.NewScript(-1, failedLua),
			failedClear:   redis.NewScript(-1, failedClearLua),
			failedRestore: redis.NewScript(-1, failedRestoreLua),
			failedRetried: redis.NewScript(-1, failedRetriedLua),
			trashes:       redis.NewScript(-1, trashesLua),
			dequeue:       redis.NewScript(-1, dequeueLua),
			queueRemove:   redis.NewScript(-1, queueRemoveLua),
			queueForget:   redis.NewScript(-1, queueForgetLua),
			describe:      redis.NewScript(-1, describeLua),
			readKey:       redis.NewScript(-1, readKeyLua),
		},
	}
}

// Ping asks Redis whether it is there.
func (s *Store) Ping(ctx context.Context) error {
	return s.with(ctx, func(c conn) error {
		_, err := c.do("PING")
		return err
	})
}

// Now is Redis's clock, which heartbeats are on.
//
// Ruby: Resque::DataStore#server_time.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	var now time.Time
	err := s.with(ctx, func(c conn) (err error) {
		now, err = clockTime(c.do("TIME"))
		return err
	})
	return now, err
}

// with runs fn on a connection of its own and returns it afterwards.
func (s *Store) with(ctx context.Context, fn func(c conn) error) error {
	if err := ctx.Err(); err != nil { // the pool would hand out a connection all the same
		return &NotSentError{err}
	}
	rc, err := s.rdb.Conn(ctx)
	if err != nil {
		return &NotSentError{err}
	}
	defer rc.Close()
	return fn(conn{Conn: rc, wait: wait(ctx)})
}

// conn is a connection whose replies are waited for as long as the caller's
// context allows. redigo's DoContext would cost a goroutine a command.
type conn struct {
	redis.Conn
	wait time.Duration // 0: the connection's own read timeout
}

func (c conn) do(command string, args ...any) (any, error) {
	var reply any
	var err error
	if c.wait == 0 {
		reply, err = c.Do(command, args...)
	} else {
		reply, err = redis.DoWithTimeout(c.Conn, c.wait, command, args...)
	}
	return reply, Plain(err)
}

func (c conn) receive() (any, error) {
	var reply any
	var err error
	if c.wait == 0 {
		reply, err = c.Receive()
	} else {
		reply, err = redis.ReceiveWithTimeout(c.Conn, c.wait)
	}
	return reply, Plain(err)
}

// script runs s, loading it where Redis does not have it.
func (c conn) script(s *redis.Script, keysAndArgs ...any) (any, error) {
	var on redis.Conn = c.Conn
	if c.wait != 0 {
		on = waiting(c)
	}
	reply, err := s.Do(on, keysAndArgs...)
	return reply, Plain(err)
}

// waiting is a connection whose Do has another read timeout.
type waiting struct {
	redis.Conn
	wait time.Duration
}

func (w waiting) Do(command string, args ...any) (any, error) {
	return redis.DoWithTimeout(w.Conn, w.wait, command, args...)
}

func wait(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return max(time.Until(deadline), time.Millisecond)
}
