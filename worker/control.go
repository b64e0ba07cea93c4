package worker

import (
	"context"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// control follows the orders of [resque.Client.TellWorker]. An order for one slot is for
// the process.
type control struct {
	*run
	now resque.WorkerOrder // the order that the process follows; empty before it is noted
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
	ctx, cancel := context.WithTimeout(ctx, clockTimeout)
	defer cancel()
	if c.now == "" { // older orders were for another process with these ids
		if c.backend.TakeOrders(ctx, c.registry.ids, string(resque.OrderWork)) != nil {
			return false
		}
		c.now = resque.OrderWork
		return true
	}
	orders, err := c.backend.Orders(ctx, c.registry.ids)
	if err != nil {
		return false
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
		return noted || c.note(ctx, orders, c.now) // Redis has lost it
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
func (c *control) note(ctx context.Context, read []string, order resque.WorkerOrder) bool {
	if c.backend.FollowOrder(ctx, c.registry.ids, read, string(order)) != nil {
		return false
	}
	c.now = order
	return true
}

// leave removes the notes.
func (c *control) leave(ctx context.Context) {
	if c == nil || c.now == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clockTimeout)
	defer cancel()
	_ = c.backend.TakeNoOrders(ctx, c.registry.ids) // the next worker removes them
}
