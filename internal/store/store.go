package store

import (
	"context"
	"strings"
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
	lastPush   atomic.Pointer[pushWords]
	lastQueues atomic.Pointer[queueKeys]
	lastBatch  atomic.Pointer[memberKeys]
	lastClock  atomic.Pointer[clock]
	lastLimits atomic.Pointer[limitKeys]
	noLimits   limitKeys    // stays empty
	unusual    atomic.Int64 // how many calls do not try exchange_usual.lua
}

// scripts are the Lua scripts. Each has its contract in its file.
type scripts struct {
	exchange, rewrite, prune, admit    *script
	plain                              *script // exchange without outcome.lua and limit.lua
	usual                              *script // exchange_usual.lua
	limited                            *script // exchange_usual.lua with limit.lua
	status, cancel, order, orderFollow *script
	register, beat, release, retire    *script
	failed, failedClear, failedRestore *script
	failedRetried, trashes             *script
	dequeue                            *script
	push, unlock, restore              *script
	delay, delayAgain                  *script
	delayedAct, delayedRestore         *script
	delayedIndex, delayedLocate        *script
	queueRemove, queueForget           *script
	masterTake, masterRelease          *script
	due, move                          *script
	describe, readKey, list, scan      *script
	fire, schedulePublish              *script
	scheduleSet, scheduleRemove        *script
	scheduleChanges                    *script
	batchOpen, batchAdd                *script
	batchSeal, batchEnd                *script
	heldFree, heldAdd, unpark          *script
	keysRemove, keysRestore            *script
	heartbeatForget, metrics           *script
}

// script is a Lua script, made of parts. It is hashed when it is first used, because a
// process uses few of all scripts, a child process usually none.
type script struct {
	parts []string
	once  sync.Once
	made  *redis.Script
}

func lua(parts ...string) *script { return &script{parts: parts} }

func (s *script) ready() *redis.Script {
	s.once.Do(func() { s.made = redis.NewScript(-1, strings.Join(s.parts, "")) })
	return s.made
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
			exchange: lua(lockLua, batchLua, argsLua, outcomeLua, limitLua, limitPlaceLua, payloadLua, exchangeLua, exchangeReserveLua, exchangeEndLua),
			plain:    lua(argsLua, payloadLua, exchangeLua, exchangeReserveLua, exchangeEndLua),
			usual:    lua(payloadLua, exchangeUsualLua),
			limited:  lua(limitLua, payloadLua, exchangeUsualLua),
			rewrite:  lua(rewriteLua),
			prune:    lua(lockLua, batchLua, argsLua, outcomeLua, limitLua, limitPlaceLua, pruneLua),
			admit:    lua(lockLua, batchLua, argsLua, outcomeLua, limitLua, limitPlaceLua, admitLua),
			status:   lua(lockLua, batchLua, argsLua, outcomeLua, statusSetLua),
			cancel:   lua(cancelLua),
			order:    lua(orderLua),
			register: lua(registerLua),
			beat:     lua(beatLua),
			release:  lua(releaseLua),
			retire:   lua(retireLua),

			failed:        lua(failedLua),
			failedClear:   lua(failedClearLua),
			failedRestore: lua(failedRestoreLua),
			failedRetried: lua(failedRetriedLua),
			trashes:       lua(trashesLua),
			dequeue:       lua(dequeueLua),
			queueRemove:   lua(queueRemoveLua),
			queueForget:   lua(queueForgetLua),
			describe:      lua(describeLua),
			readKey:       lua(readKeyLua),
			list:          lua(listLua),
			scan:          lua(scanLua),

			unlock: lua(unlockLua),

			restore:        lua(lockLua, restoreLua),
			push:           lua(lockLua, pushLua),
			delay:          lua(delayLua),
			delayAgain:     lua(delayAgainLua),
			delayedAct:     lua(delayedActLua),
			delayedRestore: lua(delayedRestoreLua),
			delayedIndex:   lua(delayedIndexLua),
			delayedLocate:  lua(delayedLocateLua),

			masterTake:    lua(masterTakeLua),
			masterRelease: lua(masterReleaseLua),
			due:           lua(dueLua),
			move:          lua(moveLua),

			fire:            lua(lockLua, fireLua),
			scheduleChanges: lua(scheduleChangesLua),
			schedulePublish: lua(schedulePublishLua),
			scheduleSet:     lua(scheduleSetLua),
			scheduleRemove:  lua(scheduleRemoveLua),

			batchOpen: lua(batchOpenLua),
			batchAdd:  lua(lockLua, batchLua, argsLua, outcomeLua, batchAddLua),
			batchEnd:  lua(lockLua, batchLua, argsLua, outcomeLua, batchEndLua),
			batchSeal: lua(batchLua, batchSealLua),

			heldFree:        lua(heldFreeLua),
			heldAdd:         lua(heldAddLua),
			unpark:          lua(unparkLua),
			keysRemove:      lua(keysRemoveLua),
			keysRestore:     lua(keysRestoreLua),
			heartbeatForget: lua(heartbeatForgetLua),
			orderFollow:     lua(orderFollowLua),
			metrics:         lua(metricsLua),
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

// Rested is how long a connection must have been unused in its pool to be checked by a ping
// before it is used again. RestedLong is that time for calls that can be repeated: if such a
// connection turns out to be closed, only the call's time is lost.
const (
	Rested     = time.Second
	RestedLong = 30 * time.Second
)

type repeatable struct{}

// Repeatable returns a context for a call that its caller repeats if the connection is
// closed; see Rested.
func Repeatable(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatable{}, true)
}

// IsRepeatable reports whether ctx is from Repeatable.
func IsRepeatable(ctx context.Context) bool { return ctx.Value(repeatable{}) != nil }

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
func (c conn) script(s *script, keysAndArgs ...any) (any, error) {
	on := c.Conn
	if c.wait != 0 {
		on = timeoutConn(c)
	}
	reply, err := s.ready().Do(on, keysAndArgs...)
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
