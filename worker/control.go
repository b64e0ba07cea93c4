package worker

import (
	"context"
	"sync"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// control follows the orders of [resque.Client.TellWorker]. An order for one slot is for
// the process.
type control struct {
	*run

	mu      sync.Mutex
	now     resque.WorkerOrder // the order that the process follows; empty before it is noted
	refused bool               // Redis could not read or note the orders at the last look
}

// newControl returns nil without RemoteControl.
func newControl(r *run) *control {
	if !r.cfg.RemoteControl {
		return nil
	}
	return &control{run: r}
}

// arm makes Redis send a message at the next order.
func (c *control) arm(w *store.Watch) error {
	if c == nil {
		return nil
	}
	return w.ArmOrders()
}

// look reads the orders and follows a new one. It returns false if Redis does not answer.
func (c *control) look(ctx context.Context) bool {
	if c == nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, clockTimeout)
	defer cancel()
	err := c.lookLocked(ctx)
	before := c.refused
	c.refused = store.Refused(err)
	if c.refused && !before {
		c.cfg.Logger.Error("the orders to the worker cannot be read or noted, it takes none", "worker", c.registry.ids[0], "err", err)
	}
	return err == nil || c.refused
}

// lookAgain looks if Redis refused the last look.
func (c *control) lookAgain(ctx context.Context) {
	if c == nil {
		return
	}
	c.mu.Lock()
	refused := c.refused
	c.mu.Unlock()
	if refused {
		c.look(ctx)
	}
}

func (c *control) lookLocked(ctx context.Context) error {
	if c.now == "" { // older orders were for another process with these ids
		err := c.backend.TakeOrders(ctx, c.registry.ids, string(resque.OrderWork))
		if err == nil {
			c.now = resque.OrderWork
		}
		return err
	}
	orders, err := c.backend.Orders(ctx, c.registry.ids)
	if err != nil {
		return err
	}
	wanted, noted := c.now, false
	for _, text := range orders {
		order := resque.WorkerOrder(text)
		noted = noted || order == c.now
		if order != c.now && rank(order) > 0 && (wanted == c.now || rank(order) > rank(wanted)) {
			wanted = order
		}
	}
	if wanted == c.now {
		if noted {
			return nil
		}
		return c.note(ctx, orders, c.now) // Redis has lost it
	}
	c.cfg.Logger.Warn("worker was told what to do from outside", "order", string(wanted), "worker", c.registry.ids[0])
	switch wanted {
	case resque.OrderQuiet:
		c.Pause()
	case resque.OrderWork:
		c.Resume()
	case resque.OrderStop:
		c.Term()
	}
	return c.note(ctx, orders, wanted)
}

// rank returns which of several orders counts: the one with the largest rank. It is 0 for an
// unknown order.
func rank(order resque.WorkerOrder) int {
	switch order {
	case resque.OrderStop:
		return 3
	case resque.OrderQuiet:
		return 2
	case resque.OrderWork:
		return 1
	}
	return 0
}

// note writes which order the process follows. An order that came after read was read stays,
// and is followed at the next look.
func (c *control) note(ctx context.Context, read []string, order resque.WorkerOrder) error {
	err := c.backend.FollowOrder(ctx, c.registry.ids, read, string(order))
	if err == nil {
		c.now = order
	}
	return err
}

// leave removes the notes.
func (c *control) leave(ctx context.Context) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clockTimeout)
	defer cancel()
	_ = c.backend.TakeNoOrders(ctx, c.registry.ids) // the next worker removes them
}
