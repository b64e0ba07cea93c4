package resque_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// openAs opens a Redis that logs nothing.
func openAs(t *testing.T, cfg resque.RedisConfig) *resque.Redis {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	rdb, err := resque.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, rdb.Close()) })
	return rdb
}

// portOf returns the port of the server to which a connection of rdb is.
func portOf(ctx context.Context, rdb *resque.Redis) (string, error) {
	c, err := rdb.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer c.Close()
	reply, err := c.Do("CONFIG", "GET", "port")
	if err != nil {
		return "", err
	}
	return string(reply.([]any)[1].([]byte)), nil
}

// The connections that are open when the master is replaced end, those that wait for
// messages too, and later ones are to the new master. A job that the old one refused is
// certainly not queued.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinels(t, 1)
	host := strings.TrimSuffix(strings.TrimPrefix(g.URL, "redis-sentinel://"), "/"+redistest.MasterName)
	rdb := openAs(t, resque.RedisConfig{URL: "redis://" + redistest.MasterName, Sentinels: []string{"127.0.0.1:1", host}, MaxOpen: 8})
	old, err := portOf(t.Context(), rdb)
	require.NoError(t, err)
	require.Equal(t, g.Master(t), old)
	waits, err := rdb.Conn(t.Context())
	require.NoError(t, err)
	defer waits.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := waits.Do("BLPOP", "nothing", 0)
		ended <- err
	}()
	g.Failover(t)
	require.Error(t, <-ended)
	require.Eventually(t, func() bool {
		now, err := portOf(t.Context(), rdb)
		return err == nil && now != old
	}, time.Minute, 10*time.Millisecond)
	client, err := resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	_, err = client.Enqueue(t.Context(), resque.Job{Queue: "q", Class: "A"})
	require.NoError(t, err)
}

// Close ends the goroutine that listens to a Sentinel.
func TestCloseEndsListening(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinels(t, 1)
	rdb, err := resque.Open(resque.RedisConfig{URL: g.URL})
	require.NoError(t, err)
	c := g.Sentinels[0].Conn(t)
	listens := func() bool {
		list, err := redis.String(c.Do("CLIENT", "LIST"))
		return err == nil && strings.Contains(list, " sub=1 ")
	}
	require.NoError(t, rdb.Ping(t.Context()))
	require.Eventually(t, listens, time.Minute, time.Millisecond)
	require.NoError(t, rdb.Close())
	require.Eventually(t, func() bool { return !listens() }, time.Minute, time.Millisecond)
	require.Error(t, rdb.Ping(t.Context()))
}

// A user without the right to ask for the role is no obstacle.
func TestSentinelWithoutRightToAskForTheRole(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinels(t, 1, "--user", "ann", "on", ">w0rd", "~resque:*", "+@read", "+@write", "+@connection")
	rdb := openAs(t, resque.RedisConfig{URL: strings.Replace(g.URL, "://", "://ann:w0rd@", 1)})
	client, err := resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	_, err = client.Enqueue(t.Context(), resque.Job{Queue: "q", Class: "A"})
	require.NoError(t, err)
}

func TestWaitReplicas(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinels(t, 1)
	rdb := openAs(t, resque.RedisConfig{URL: g.URL})
	enough, err := resque.New(rdb, resque.Config{WaitReplicas: 1, WaitTimeout: time.Minute})
	require.NoError(t, err)
	more, err := resque.New(rdb, resque.Config{WaitReplicas: 2, WaitTimeout: time.Millisecond})
	require.NoError(t, err)
	job := resque.Job{Queue: "q", Class: "A"}
	jobs := []resque.Job{job, job.In(time.Hour)}
	for _, c := range []struct {
		client *resque.Client
		fails  bool
	}{{enough, false}, {more, true}} {
		check := func(receipt resque.Receipt, err error) {
			t.Helper()
			assert.True(t, receipt.Enqueued())
			assert.Equal(t, c.fails, errors.Is(err, resque.ErrNotReplicated), err)
			assert.NotErrorIs(t, err, resque.ErrMaybeQueued)
			if c.fails {
				assert.ErrorContains(t, err, "1 of 2 replicas acknowledged it in time")
			}
		}
		check(c.client.Enqueue(t.Context(), job))
		check(c.client.EnqueueFront(t.Context(), job))
		check(c.client.Enqueue(t.Context(), job.In(time.Hour)))
		receipts, err := c.client.EnqueueAll(t.Context(), jobs)
		check(receipts[0], err)
		check(receipts[1], err)
	}
	n, err := enough.Size(t.Context(), "q")
	require.NoError(t, err)
	assert.EqualValues(t, 6, n)
	for _, cfg := range []resque.Config{{WaitReplicas: -1}, {WaitTimeout: time.Second}, {WaitReplicas: 1, WaitTimeout: time.Microsecond}} {
		_, err := resque.New(rdb, cfg)
		require.Error(t, err)
	}
}
