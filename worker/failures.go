package worker

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// tellTimeout is how long a failure's record waits for the backends outside
// Redis.
const tellTimeout = 5 * time.Second

// pushes are the writes that record a failure.
type pushes interface {
	Fail(failure []byte) store.Effect
	FailInQueue(queue string, failure []byte) []store.Effect
}

// failureEffects record a failure in the lists of Redis.
//
// Ruby: Resque::Failure.create.
func failureEffects(to pushes, lists resque.FailureLists, f resque.Failure) []store.Effect {
	record := f.AppendJSON(nil)
	var effects []store.Effect
	if lists&resque.FailuresTogether != 0 {
		effects = append(effects, to.Fail(record))
	}
	if lists&resque.FailuresByQueue != 0 {
		effects = append(effects, to.FailInQueue(f.Queue, record)...)
	}
	return effects
}

// tell tells the backends outside Redis of a failure, all at once. It comes
// before the record in Redis, so that whatever ends this process between the two
// has the failure told twice rather than never. A Save that does not heed its
// context is left behind.
func (c Config) tell(ctx context.Context, f *resque.Failure) {
	if f == nil || len(c.FailureBackends) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTimeout)
	defer cancel()
	saved := make(chan error, len(c.FailureBackends))
	for _, backend := range c.FailureBackends {
		go func() {
			err := errGoexit
			defer func() { saved <- err }()
			err = save(ctx, backend, *f)
		}()
	}
	for range c.FailureBackends {
		select {
		case err := <-saved:
			if err != nil {
				c.Logger.Error("a failure backend failed", "queue", f.Queue, "worker", f.Worker, "err", err)
			}
		case <-ctx.Done():
			c.Logger.Error("a failure backend does not answer", "queue", f.Queue, "worker", f.Worker)
			return
		}
	}
}

// save is a backend's Save, whose panic is one more error.
func save(ctx context.Context, backend resque.FailureBackend, f resque.Failure) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &resque.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if err = backend.Save(ctx, f); err != nil {
		err = fmt.Errorf("%T: %w", backend, err)
	}
	return err
}
