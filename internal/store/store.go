package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/rubyjson"
)

// Redis is a source of connections and keys, such as a *resque.Redis.
type Redis interface {
	// Conn returns a connection, which the caller closes.
	Conn(ctx context.Context) (redis.Conn, error)
	// Key returns the namespace and parts, joined with colons.
	Key(parts ...string) string
}

// Store runs Resque's commands on a Redis. It is safe for concurrent use and holds
// no connections.
type Store struct {
	Replicas Replicas // for pushes; not to be changed while the store is in use

	rdb        Redis
	inspect    rubyjson.Inspect // in keys that have hashes
	keys       keys
	scripts    scripts
	known      sync.Map // *workerArgs by worker id
	pushes     combiner
	delays     combiner
	pushesWith combiner // with what policies write
	lastQueues atomic.Pointer[queueKeys]
	lastBatch  atomic.Pointer[memberKeys]
	lastClock  atomic.Pointer[clock]
	lastLimits atomic.Pointer[limitKeys]
	noLimits   limitKeys    // stays empty
	popNext    atomic.Int64 // see popFirst
	unusual    atomic.Int64 // how many calls do not try exchange_usual.lua
}

// scripts are the Lua scripts. Each has its contract in its file.
type scripts struct {
	exchange, rewrite, prune, admit    *redis.Script
	plain                              *redis.Script // exchange without outcome.lua and limit.lua
	usual                              *redis.Script // exchange_usual.lua
	status, cancel, order, orderFollow *redis.Script
	register, beat, release, retire    *redis.Script
	failed, failedClear, failedRestore *redis.Script
	failedRetried, trashes             *redis.Script
	dequeue                            *redis.Script
	push, unlock, restore              *redis.Script
	delay, delayAgain                  *redis.Script
	delayedAct, delayedRestore         *redis.Script
	delayedIndex, delayedLocate        *redis.Script
	queueRemove, queueForget           *redis.Script
	masterTake, masterRelease          *redis.Script
	due, move                          *redis.Script
	describe, readKey, list, scan      *redis.Script
	fire, schedulePublish              *redis.Script
	scheduleSet, scheduleRemove        *redis.Script
	scheduleChanges                    *redis.Script
	batchOpen, batchAdd                *redis.Script
	batchSeal, batchEnd                *redis.Script
	heldFree, heldAdd, unpark          *redis.Script
	keysRemove, keysRestore            *redis.Script
	heartbeatForget, metrics           *redis.Script
}

// New returns a store on rdb.
//
// Keys that have hashes are written as Ruby 3.4 does if rdb has a method InspectsAsRuby34
// that returns true.
func New(rdb Redis) *Store {
	s := &Store{
		rdb:     rdb,
		keys:    keys{rdb},
		inspect: inspectOf(rdb),
		scripts: scripts{
			exchange: redis.NewScript(-1, lockLua+batchLua+argsLua+outcomeLua+limitLua+payloadLua+exchangeLua),
			plain:    redis.NewScript(-1, argsLua+payloadLua+exchangeLua),
			usual:    redis.NewScript(-1, payloadLua+exchangeUsualLua),
			rewrite:  redis.NewScript(-1, rewriteLua),
			prune:    redis.NewScript(-1, lockLua+batchLua+argsLua+outcomeLua+limitLua+pruneLua),
			admit:    redis.NewScript(-1, lockLua+batchLua+argsLua+outcomeLua+limitLua+admitLua),
			status:   redis.NewScript(-1, lockLua+batchLua+argsLua+outcomeLua+statusSetLua),
			cancel:   redis.NewScript(-1, cancelLua),
			order:    redis.NewScript(-1, orderLua),
			register: redis.NewScript(-1, registerLua),
			beat:     redis.NewScript(-1, beatLua),
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
			list:          redis.NewScript(-1, listLua),
			scan:          redis.NewScript(-1, scanLua),

			unlock: redis.NewScript(-1, unlockLua),

			restore:        redis.NewScript(-1, lockLua+restoreLua),
			push:           redis.NewScript(-1, lockLua+pushLua),
			delay:          redis.NewScript(-1, delayLua),
			delayAgain:     redis.NewScript(-1, delayAgainLua),
			delayedAct:     redis.NewScript(-1, delayedActLua),
			delayedRestore: redis.NewScript(-1, delayedRestoreLua),
			delayedIndex:   redis.NewScript(-1, delayedIndexLua),
			delayedLocate:  redis.NewScript(-1, delayedLocateLua),

			masterTake:    redis.NewScript(-1, masterTakeLua),
			masterRelease: redis.NewScript(-1, masterReleaseLua),
			due:           redis.NewScript(-1, dueLua),
			move:          redis.NewScript(-1, moveLua),

			fire:            redis.NewScript(-1, lockLua+fireLua),
			scheduleChanges: redis.NewScript(-1, scheduleChangesLua),
			schedulePublish: redis.NewScript(-1, schedulePublishLua),
			scheduleSet:     redis.NewScript(-1, scheduleSetLua),
			scheduleRemove:  redis.NewScript(-1, scheduleRemoveLua),

			batchOpen: redis.NewScript(-1, batchOpenLua),
			batchAdd:  redis.NewScript(-1, lockLua+batchLua+argsLua+outcomeLua+batchAddLua),
			batchEnd:  redis.NewScript(-1, lockLua+batchLua+argsLua+outcomeLua+batchEndLua),
			batchSeal: redis.NewScript(-1, batchLua+batchSealLua),

			heldFree:        redis.NewScript(-1, heldFreeLua),
			heldAdd:         redis.NewScript(-1, heldAddLua),
			unpark:          redis.NewScript(-1, unparkLua),
			keysRemove:      redis.NewScript(-1, keysRemoveLua),
			keysRestore:     redis.NewScript(-1, keysRestoreLua),
			heartbeatForget: redis.NewScript(-1, heartbeatForgetLua),
			orderFollow:     redis.NewScript(-1, orderFollowLua),
			metrics:         redis.NewScript(-1, metricsLua),
		},
	}
	s.pushes.send, s.delays.send, s.pushesWith.send = s.sendPushes, s.sendDelays, s.sendPushesWith
	return s
}

// WithoutScripts returns a store on rdb whose methods that run scripts must not be called.
// It costs nothing to make one.
func WithoutScripts(rdb Redis) *Store { return &Store{rdb: rdb, keys: keys{rdb}} }

// Ping returns an error if Redis does not answer.
func (s *Store) Ping(ctx context.Context) error {
	return s.with(ctx, func(c conn) error {
		_, err := c.do("PING")
		return err
	})
}

// with calls fn with a connection from the pool.
func (s *Store) with(ctx context.Context, fn func(c conn) error) error {
	if err := ctx.Err(); err != nil { // the pool may return a connection although ctx has ended
		return &NotSentError{err}
	}
	rc, err := s.rdb.Conn(ctx)
	if err != nil {
		return &NotSentError{err}
	}
	defer rc.Close()
	return fn(conn{Conn: rc, wait: wait(ctx)})
}

// conn is a connection that waits for replies until the deadline of the caller's
// context. redigo's DoContext would start a goroutine for each command.
type conn struct {
	redis.Conn
	wait time.Duration // 0 means the read timeout of the connection
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

// script runs s, and loads it if Redis does not have it.
func (c conn) script(s *redis.Script, keysAndArgs ...any) (any, error) {
	on := c.Conn
	if c.wait != 0 {
		on = timeoutConn(c)
	}
	reply, err := s.Do(on, keysAndArgs...)
	return reply, Plain(err)
}

// timeoutConn is a connection whose Do has another read timeout.
type timeoutConn struct {
	redis.Conn
	wait time.Duration
}

func (c timeoutConn) Do(command string, args ...any) (any, error) {
	return redis.DoWithTimeout(c.Conn, c.wait, command, args...)
}

// wait returns how long to wait for a reply; 0 if ctx has no deadline.
func wait(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return max(time.Until(deadline), time.Millisecond)
}

func inspectOf(rdb Redis) rubyjson.Inspect {
	if r, ok := rdb.(interface{ InspectsAsRuby34() bool }); ok && r.InspectsAsRuby34() {
		return rubyjson.Ruby34
	}
	return rubyjson.Ruby33
}
