package resque

import (
	"context"
	"errors"
	"fmt"

	"github.com/goresque/goresque/internal/wire"
)

// WorkerOrder is what [Client.TellWorker] tells the process of a worker.
type WorkerOrder string

// The orders. They have the effects of the methods Pause, Resume and Term of package
// worker.
const (
	OrderQuiet WorkerOrder = "quiet" // take no more jobs, until OrderWork
	OrderWork  WorkerOrder = "work"  // take jobs
	OrderStop  WorkerOrder = "stop"  // take no more jobs, finish the running ones as the worker is configured, and end
)

// ErrTakesNoOrders is wrapped by the error of [Client.TellWorker] for a worker that takes
// no orders.
var ErrTakesNoOrders = errors.New("resque: the worker takes no orders: it is not a goresque worker, or runs without RemoteControl")

// TellWorker gives an order to the process of the worker with that id. The order is for all
// slots of the process. Only Go workers with RemoteControl take orders; for others the error
// wraps [ErrTakesNoOrders], and nothing is written. The process follows the order soon, at
// once if its Redis supports key tracking.
func (c *Client) TellWorker(ctx context.Context, id string, order WorkerOrder) error {
	switch order {
	case OrderQuiet, OrderWork, OrderStop:
	default:
		return fmt.Errorf("resque: unknown order %q; use quiet, work or stop", order)
	}
	if parsed, _ := wire.ParseWorkerID(id); !parsed.Go {
		return fmt.Errorf("%w: %q", ErrTakesNoOrders, id)
	}
	told, err := c.store.Order(ctx, id, string(order))
	if err == nil && !told {
		err = fmt.Errorf("%w: %q", ErrTakesNoOrders, id)
	}
	return err
}
