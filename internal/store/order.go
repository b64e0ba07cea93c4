package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/gomodule/redigo/redis"
)

var (
	//go:embed order.lua
	orderLua string
	//go:embed order_follow.lua
	orderFollowLua string
)

// TakeOrders notes that workers take orders, and which order they follow now, whatever orders
// there are for their ids. It removes the notes of workers that are no longer registered.
func (s *Store) TakeOrders(ctx context.Context, workers []string, order string) error {
	err := s.with(ctx, func(c conn) error {
		fields := redis.Args{s.keys.orders()}
		for _, id := range workers {
			fields = fields.Add(id, order)
		}
		if _, err := c.do("HSET", fields...); err != nil {
			return err
		}
		// In this order: a worker registers before it is noted.
		noted, err := redis.Strings(c.do("HKEYS", s.keys.orders()))
		if err != nil {
			return err
		}
		known, err := redis.Strings(c.do("SMEMBERS", s.keys.workers()))
		if err != nil {
			return err
		}
		gone := slices.DeleteFunc(noted, func(id string) bool { return slices.Contains(known, id) || slices.Contains(workers, id) })
		if len(gone) == 0 {
			return nil
		}
		_, err = c.do("HDEL", redis.Args{s.keys.orders()}.AddFlat(gone)...)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting that workers take orders: %w", err)
	}
	return nil
}

// Orders returns the order for each worker, "" if the worker is not noted.
func (s *Store) Orders(ctx context.Context, workers []string) ([]string, error) {
	var orders []string
	err := s.with(ctx, func(c conn) (err error) {
		orders, err = redis.Strings(c.do("HMGET", redis.Args{s.keys.orders()}.AddFlat(workers)...))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the orders of workers: %w", err)
	}
	return orders, nil
}

// FollowOrder notes which order workers follow. read are their orders as [Store.Orders] has
// returned them: an order that was given since then stays.
func (s *Store) FollowOrder(ctx context.Context, workers, read []string, order string) error {
	args := redis.Args{1, s.keys.orders(), order}
	for i, id := range workers {
		args = args.Add(id, read[i])
	}
	err := s.with(ctx, func(c conn) error {
		_, err := c.script(s.scripts.orderFollow, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting the order that workers follow: %w", err)
	}
	return nil
}

// Order gives an order to a worker. It returns false if the worker takes no orders.
func (s *Store) Order(ctx context.Context, worker, order string) (noted bool, err error) {
	err = s.with(ctx, func(c conn) (err error) {
		noted, err = redis.Bool(c.script(s.scripts.order, 1, s.keys.orders(), worker, order))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("giving worker %q an order: %w", worker, err)
	}
	return noted, nil
}

// TakeNoOrders removes the notes of workers that stop.
func (s *Store) TakeNoOrders(ctx context.Context, workers []string) error {
	err := s.with(ctx, func(c conn) error {
		_, err := c.do("HDEL", redis.Args{s.keys.orders()}.AddFlat(workers)...)
		return err
	})
	if err != nil {
		return fmt.Errorf("removing the orders of workers: %w", err)
	}
	return nil
}

// ArmOrders makes Redis send a message at the next change of an order.
func (w *Watch) ArmOrders() error {
	if _, err := w.arm([]any{w.store.keys.orders()}); err != nil {
		return fmt.Errorf("tracking the orders of workers: %w", err)
	}
	return nil
}

// readOrders returns the orders in a reply to HGETALL. A key of another type has none.
func readOrders(reply any) map[string]string {
	orders, err := redis.StringMap(reply, nil)
	var refused redis.Error
	if err != nil && !errors.As(err, &refused) {
		return nil
	}
	return orders
}
