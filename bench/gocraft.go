package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gocraft/work"
	"github.com/gomodule/redigo/redis"
)

// gocraft measures github.com/gocraft/work, which has a queue for each job name.
type gocraft struct {
	pool     *redis.Pool
	enqueuer *work.Enqueuer
	last     string // the queue with the jobs
}

var _ peer = (*gocraft)(nil)

const gocraftNamespace = "gocraft"

func newGocraft(addr string) *gocraft {
	pool := &redis.Pool{MaxIdle: 200, Dial: func() (redis.Conn, error) { return redis.Dial("tcp", addr) }}
	return &gocraft{pool: pool, enqueuer: work.NewEnqueuer(gocraftNamespace, pool), last: queueName(0)}
}

// fill writes what gocraft's Enqueuer writes, many jobs at a time.
func (g *gocraft) fill(_ context.Context, n, queues int) error {
	g.last = queueName(queues - 1)
	c := g.pool.Get()
	defer c.Close()
	words := []any{gocraftNamespace + ":jobs:" + g.last}
	for i := range n {
		words = append(words, fmt.Sprintf(`{"name":%q,"id":"%024x","t":%d,"args":{"n":%d}}`, g.last, i, time.Now().Unix(), i))
		if len(words) > 1000 || i == n-1 {
			if _, err := c.Do("LPUSH", words...); err != nil {
				return fmt.Errorf("filling: %w", err)
			}
			words = words[:1]
		}
	}
	_, err := c.Do("SADD", gocraftNamespace+":known_jobs", g.last)
	return err //nolint:wrapcheck // the caller adds context
}

func (g *gocraft) work(_ context.Context, slots, queues int, handle func(n int64)) error {
	g.last = queueName(queues - 1)
	pool := work.NewWorkerPool(struct{}{}, uint(slots), gocraftNamespace, g.pool) //nolint:gosec // a small number
	for i := range queues {
		pool.Job(queueName(i), func(job *work.Job) error {
			n, _ := job.Args["n"].(float64) // ArgInt64 refuses numbers as large as those of pickup, nanoseconds since 1970
			handle(int64(n))
			return nil
		})
	}
	pool.Start()
	return nil
}

func (g *gocraft) finished(int) (bool, error) {
	c := g.pool.Get()
	defer c.Close()
	held, err := redis.Int(c.Do("GET", gocraftNamespace+":jobs:"+g.last+":lock"))
	if errors.Is(err, redis.ErrNil) {
		return false, nil
	}
	return held == 0, err //nolint:wrapcheck // the caller adds context
}

func (g *gocraft) enqueue(_ context.Context, n int64) error {
	_, err := g.enqueuer.Enqueue(g.last, work.Q{"n": n})
	return err //nolint:wrapcheck // the caller adds context
}

func (g *gocraft) enqueueMany(context.Context, int) error {
	return errUnsupported{"it cannot enqueue many jobs with one call"}
}
