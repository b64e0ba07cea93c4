package store

import (
	"context"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Replicas is how many replicas must have acknowledged a job before a push returns, and
// how long to wait for them. The zero value does not wait.
type Replicas struct {
	Count   int
	Timeout time.Duration
}

// NotReplicatedError is the error of a push whose job is in Redis, but was not
// acknowledged by enough replicas in time.
type NotReplicatedError struct {
	Got, Want int
	Err       error // why it is not known how many did; nil if it is known
}

func (e *NotReplicatedError) Error() string {
	if e.Err != nil {
		return "waiting for replicas: " + e.Err.Error()
	}
	return fmt.Sprintf("%d of %d replicas acknowledged it in time", e.Got, e.Want)
}

// Unwrap returns the cause.
func (e *NotReplicatedError) Unwrap() error { return e.Err }

// AwaitReplicas waits until enough replicas have acknowledged all that is in Redis, whichever client
// wrote it.
func (s *Store) AwaitReplicas(ctx context.Context) error {
	if s.Replicas.Count == 0 {
		return nil
	}
	return s.with(ctx, func(c conn) error {
		// WAIT waits only for what its connection has written, and what was written before it.
		if _, err := c.do("SET", s.keys.replicas(), "1", "PX", time.Minute.Milliseconds()); err != nil {
			return err
		}
		return s.awaitReplicas(c)
	})
}

// awaitReplicas waits until replicas have acknowledged what was written on c.
func (s *Store) awaitReplicas(c conn) error {
	want := s.Replicas
	if want.Count == 0 {
		return nil
	}
	const network = 10 * time.Second
	got, err := redis.Int(redis.DoWithTimeout(c.Conn, want.Timeout+network, "WAIT", want.Count, want.Timeout.Milliseconds()))
	if err != nil || got < want.Count {
		return &NotReplicatedError{Got: got, Want: want.Count, Err: Plain(err)}
	}
	return nil
}
