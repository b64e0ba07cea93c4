package resque

import "context"

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
