package resque

import (
	"context"
	"iter"
)

// Info counts what is there.
type Info struct {
	Pending   int   // jobs in queues
	Processed int64 // jobs that have ended, those that failed included
	Queues    int
	Workers   int
	Working   int   // workers with a job in hand
	Failed    int64 // failures in the list that Ruby's default backend keeps
	Servers   []string
}

// Info counts what is there, in two round trips.
//
// Ruby: Resque.info, which has the environment, too.
func (c *Client) Info(ctx context.Context) (Info, error) {
	o, err := c.store.Overview(ctx)
	if err != nil {
		return Info{}, err
	}
	return Info{
		Pending: o.Pending, Processed: o.Processed, Queues: len(o.Queues),
		Workers: len(o.Workers), Working: o.Working, Failed: o.Failed,
		Servers: []string{c.rdb.String()},
	}, nil
}

// Keys are the keys below the namespace, without it, in no order. They are read as
// they are asked for and never hold Redis for long; a key that is written
// meanwhile may be missed, and one may come twice. An error is the end.
//
// Ruby: Resque.keys.
func (c *Client) Keys(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for cursor := "0"; ; {
			keys, next, err := c.store.Scan(ctx, cursor)
			if err != nil {
				yield("", err)
				return
			}
			for _, key := range keys {
				if !yield(key, nil) {
					return
				}
			}
			if next == "0" {
				return
			}
			cursor = next
		}
	}
}

// Stat is a counter's value: 0 where there is none. Resque's own are "processed"
// and "failed", and both with a colon and a worker's id.
//
// Ruby: Resque::Stat.get.
func (c *Client) Stat(ctx context.Context, name string) (int64, error) {
	return c.store.Stat(ctx, name)
}

// IncrStat adds by to a counter and returns its value.
//
// Ruby: Resque::Stat.incr.
func (c *Client) IncrStat(ctx context.Context, name string, by int64) (int64, error) {
	return c.store.IncrStat(ctx, name, by)
}

// DecrStat takes by from a counter and returns its value, which may be negative.
//
// Ruby: Resque::Stat.decr, which raises NoMethodError in Resque 3.0.0.
func (c *Client) DecrStat(ctx context.Context, name string, by int64) (int64, error) {
	return c.store.IncrStat(ctx, name, -by)
}

// ClearStat sets a counter to 0 by removing it.
//
// Ruby: Resque::Stat.clear.
func (c *Client) ClearStat(ctx context.Context, name string) error {
	return c.store.ClearStat(ctx, name)
}
