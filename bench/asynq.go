package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"strconv"
	"sync"

	"github.com/gomodule/redigo/redis"
	"github.com/hibiken/asynq"
)

// asynqPeer measures github.com/hibiken/asynq.
type asynqPeer struct {
	opt    asynq.RedisClientOpt
	client *asynq.Client
	last   string
}

var _ peer = (*asynqPeer)(nil)

func newAsynq(addr string) *asynqPeer {
	opt := asynq.RedisClientOpt{Addr: addr}
	return &asynqPeer{opt: opt, client: asynq.NewClient(opt), last: queueName(0)}
}

// fill uses asynq's client, because a task is a hash and an entry of a list.
func (a *asynqPeer) fill(ctx context.Context, n, queues int) error {
	a.last = queueName(queues - 1)
	const producers = 16
	var all sync.WaitGroup
	errs := make([]error, producers)
	for p := range producers {
		all.Go(func() {
			for i := p; i < n && errs[p] == nil; i += producers {
				errs[p] = a.enqueue(ctx, int64(i))
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *asynqPeer) work(_ context.Context, slots, queues int, handle func(n int64)) error {
	a.last = queueName(queues - 1)
	weights := map[string]int{}
	for i := range queues {
		weights[queueName(i)] = 1
	}
	server := asynq.NewServer(a.opt, asynq.Config{Concurrency: slots, Queues: weights, Logger: silent{log.New(io.Discard, "", 0)}})
	mux := asynq.NewServeMux()
	mux.HandleFunc("noop", func(_ context.Context, t *asynq.Task) error {
		n, err := strconv.ParseInt(string(t.Payload()), 10, 64)
		handle(n)
		return err //nolint:wrapcheck // never happens
	})
	return server.Start(mux) //nolint:wrapcheck // the caller adds context
}

func (a *asynqPeer) finished(int) (bool, error) {
	c, err := redis.Dial("tcp", a.opt.Addr)
	if err != nil {
		return false, fmt.Errorf("connecting: %w", err)
	}
	defer c.Close()
	active, err := redis.Int(c.Do("LLEN", "asynq:{"+a.last+"}:active"))
	return active == 0, err //nolint:wrapcheck // the caller adds context
}

func (a *asynqPeer) enqueue(ctx context.Context, n int64) error {
	task := asynq.NewTask("noop", strconv.AppendInt(nil, n, 10))
	_, err := a.client.EnqueueContext(ctx, task, asynq.Queue(a.last))
	return err //nolint:wrapcheck // the caller adds context
}

func (a *asynqPeer) enqueueMany(context.Context, int) error {
	return errUnsupported{"this version cannot enqueue many tasks with one call"}
}

// silent is a logger that writes nothing.
type silent struct{ *log.Logger }

func (silent) Debug(...any) {}
func (silent) Info(...any)  {}
func (silent) Warn(...any)  {}
func (silent) Error(...any) {}
