package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

var noop = resque.Define1[int64]("Noop", "queue0")

// goresque measures this project.
type goresque struct {
	client *resque.Client
	conn   redis.Conn
	many   []resque.Job
}

var _ peer = (*goresque)(nil)

func newGoresque(addr string) (*goresque, error) {
	rdb, err := resque.Open(resque.RedisConfig{URL: "redis://" + addr})
	if err != nil {
		return nil, err
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return nil, err
	}
	conn, err := redis.Dial("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return &goresque{client: client, conn: conn}, nil
}

func (g *goresque) fill(_ context.Context, n, queues int) error {
	return fillResque(g.conn, n, queues)
}

// fillResque enqueues jobs in the form that every Resque reads.
func fillResque(c redis.Conn, n, queues int) error {
	const some = 1000
	name := queueName(queues - 1)
	err := c.Send("SADD", "resque:queues", name)
	pending := 1
	for from := 0; from < n; from += some {
		words := []any{"resque:queue:" + name}
		for i := from; i < min(from+some, n); i++ {
			words = append(words, `{"class":"Noop","args":[`+strconv.Itoa(i)+`]}`)
		}
		err = errors.Join(err, c.Send("RPUSH", words...))
		pending++
	}
	err = errors.Join(err, c.Flush())
	for range pending {
		_, bad := c.Receive()
		err = errors.Join(err, bad)
	}
	return err
}

func queueName(i int) string { return "queue" + strconv.Itoa(i) }

func (g *goresque) work(ctx context.Context, slots, queues int, handle func(n int64)) error {
	mux := resque.NewMux()
	mux.Handle(noop.Handler(func(_ context.Context, n int64) error {
		handle(n)
		return nil
	}))
	cfg := worker.Config{Concurrency: slots, Logger: slog.New(slog.DiscardHandler)}
	for i := range queues {
		cfg.Queues = append(cfg.Queues, queueName(i))
	}
	w, err := worker.New(g.client, mux, cfg)
	if err != nil {
		return err
	}
	go func() { _ = w.Run(ctx) }() // ends with the process, which runs one task
	return nil
}

func (g *goresque) finished(n int) (bool, error) {
	done, err := redis.Int(g.conn.Do("GET", "resque:stat:processed"))
	if errors.Is(err, redis.ErrNil) {
		return n == 0, nil
	}
	return done == n, err //nolint:wrapcheck // the caller adds context
}

func (g *goresque) enqueue(ctx context.Context, n int64) error {
	_, err := g.client.Enqueue(ctx, noop.Job(n))
	return err
}

func (g *goresque) enqueueMany(ctx context.Context, n int) error {
	for len(g.many) < n {
		g.many = append(g.many, noop.Job(int64(len(g.many))))
	}
	// Older versions of the client do not have it.
	many, ok := any(g.client).(interface {
		EnqueueAll(ctx context.Context, jobs []resque.Job) (resque.Receipts, error)
	})
	if !ok {
		return errUnsupported{"this version of the client has no EnqueueAll"}
	}
	_, err := many.EnqueueAll(ctx, g.many[:n])
	return err
}
