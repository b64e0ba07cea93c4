package resque

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"
)

// rested tells whether connections that rested in a pool still stand. One that
// a restarted server has cut would answer an Enqueue with ErrMaybeQueued. One in
// steady use needs no asking. Where the line went dead without a word, asking
// takes the whole read timeout: the first one that fails speaks for all that
// have rested since before.
type rested struct {
	failed atomic.Int64 // when one last failed, in nanoseconds since 1970
}

var errRestedWithDead = errors.New("a connection that rested beside it is dead")

// test is a pool's TestOnBorrowContext.
func (r *rested) test(ctx context.Context, c redis.Conn, lastUsed time.Time) error {
	if lastUsed.UnixNano() <= r.failed.Load() {
		return errRestedWithDead
	}
	if time.Since(lastUsed) < time.Second {
		return nil
	}
	_, err := redis.DoContext(c, ctx, "PING")
	if err != nil {
		r.failed.Store(time.Now().UnixNano())
	}
	return err //nolint:wrapcheck // the pool only asks whether there is one
}
