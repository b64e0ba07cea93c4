package resque

import (
	"context"
	"errors"
	"iter"
)

// Info is the number of jobs, queues and workers in a namespace.
type Info struct {
	Pending   int64    // jobs in queues
	Processed int64    // finished jobs, including failed ones
	Queues    int64    // known queues
	Workers   int64    // registered workers
	Working   int64    // workers running a job
	Failed    int64    // failures in FailedList
	Servers   []string // the Redis server
}

// Info returns the number of jobs, queues and workers, in two round trips. If a key has the
// wrong type, Info returns the other numbers and an error that names it.
//
// Ruby: Resque.info, which also returns the environment.
func (c *Client) Info(ctx context.Context) (Info, error) {
	o, err := c.store.Overview(ctx)
	if err != nil {
		return Info{}, err
	}
	return Info{
		Pending: o.Pending, Processed: o.Processed, Queues: int64(len(o.Queues)),
		Workers: int64(len(o.Workers)), Working: o.Working, Failed: o.Failed,
		Servers: []string{c.rdb.String()},
	}, errors.Join(o.Damage...)
}

// Keys returns an iterator over the keys of the namespace, without the namespace's
// prefix, in no order. Keys are read on demand, in short calls that do not block
// Redis. A key that is written during the iteration may be missed, and a key may be
// yielded twice. The iterator ends after an error.
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

// Stat returns the value of a counter, or 0 if the counter does not exist. Resque uses
// the counters "processed" and "failed", and for each worker "processed:ID" and
// "failed:ID".
//
// Ruby: Resque::Stat.get.
func (c *Client) Stat(ctx context.Context, name string) (int64, error) {
	return c.store.Stat(ctx, name)
}

// IncrStat adds by to a counter and returns the new value.
//
// Ruby: Resque::Stat.incr.
func (c *Client) IncrStat(ctx context.Context, name string, by int64) (int64, error) {
	return c.store.IncrStat(ctx, name, by)
}

// DecrStat subtracts by from a counter and returns the new value, which may be
// negative.
//
// Ruby: Resque::Stat.decr, which raises NoMethodError in Resque 3.0.0.
func (c *Client) DecrStat(ctx context.Context, name string, by int64) (int64, error) {
	return c.store.IncrStat(ctx, name, -by)
}

// ClearStat removes a counter, so that its value is 0.
//
// Ruby: Resque::Stat.clear.
func (c *Client) ClearStat(ctx context.Context, name string) error {
	return c.store.ClearStat(ctx, name)
}
