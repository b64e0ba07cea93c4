package resque_test

import (
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
)

// acceptingConn is a connection to a server that accepts everything.
type acceptingConn struct{}

func (acceptingConn) Close() error                   { return nil }
func (acceptingConn) Err() error                     { return nil }
func (acceptingConn) Do(string, ...any) (any, error) { return int64(1), nil }
func (acceptingConn) Send(string, ...any) error      { return nil }
func (acceptingConn) Flush() error                   { return nil }
func (acceptingConn) Receive() (any, error)          { return int64(1), nil }

// One job takes few allocations: its arguments (2), the payload (2) and the connection of
// the pool (1). A reply with a length takes one more.
//
//nolint:paralleltest // it counts the allocations of the process
func TestEnqueueAllocatesLittle(t *testing.T) {
	pool := &redis.Pool{MaxIdle: 1, Dial: func() (redis.Conn, error) { return acceptingConn{}, nil }}
	client, err := resque.New(resque.FromPool(pool, ""), resque.Config{})
	require.NoError(t, err)
	job := resque.Define1[int64]("Noop", "queue0")
	n := int64(1000)
	allocs := testing.AllocsPerRun(100, func() {
		n++
		if _, err := client.Enqueue(t.Context(), job.Job(n)); err != nil {
			t.Error(err)
		}
	})
	assert.LessOrEqual(t, allocs, 8.0)
	t.Log(allocs)
}
