package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/resque"
	limits "github.com/goresque/goresque/resque/limit"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/resque/unique"
	"github.com/goresque/goresque/worker"
)

var noop = resque.Define1[int64]("Noop", "queue0")

// The policies of a row's class.
const (
	policyRetry   = "retry"
	policyRetried = "retried" // each job fails once
	policyUnique  = "unique"
	policyLimit   = "limit"
	policyDelayed = "delayed" // the jobs are delayed
)

var errFirst = errors.New("the first attempt fails")

// give gives the class of a peer's jobs a policy. Only goresque has policies.
func give(p peer, policy string) {
	g, ok := p.(*goresque)
	if !ok {
		return
	}
	g.policy = policy
	var setting resque.Setting
	switch policy {
	case policyRetry, policyRetried:
		setting = retry.Policy{}
	case policyUnique:
		setting = unique.Policy{}
	case policyLimit:
		setting = limits.Policy{Concurrency: 1000}
	default:
		return
	}
	g.job = resque.Define1[int64]("Noop", "queue0", setting)
}

// goresque measures this project.
type goresque struct {
	client *resque.Client
	conn   redis.Conn
	many   []resque.Job
	policy string
	job    resque.Definition1[int64]
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
	return &goresque{client: client, conn: conn, job: noop}, nil
}

func (g *goresque) fill(ctx context.Context, n, queues int) error {
	if g.policy != policyUnique {
		return fillResque(g.conn, n, queues)
	}
	for from := 0; from < n; from += 1000 {
		var jobs []resque.Job
		for i := from; i < min(from+1000, n); i++ {
			jobs = append(jobs, g.job.Job(int64(i)).To(queueName(queues-1)))
		}
		if _, err := g.client.EnqueueAll(ctx, jobs); err != nil {
			return err
		}
	}
	return nil
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
	var failed sync.Map
	mux.Handle(g.job.Handler(func(_ context.Context, n int64) error {
		if g.policy == policyRetried {
			if _, again := failed.LoadOrStore(n, true); !again {
				return errFirst
			}
		}
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
	if g.policy == policyRetried {
		n *= 2
	}
	done, err := redis.Int(g.conn.Do("GET", "resque:stat:processed"))
	if errors.Is(err, redis.ErrNil) {
		return n == 0, nil
	}
	return done == n, err //nolint:wrapcheck // the caller adds context
}

func (g *goresque) enqueue(ctx context.Context, n int64) error {
	job := g.job.Job(n)
	if g.policy == policyDelayed {
		job = job.In(time.Hour)
	}
	_, err := g.client.Enqueue(ctx, job)
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
