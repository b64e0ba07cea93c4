package resque

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// saveTimeout is how long SaveFailure waits for failure backends.
const saveTimeout = 5 * time.Second

// SaveFailure gives a failure to failure backends, to all at the same time, and returns
// when they have saved it, or after 5 seconds. It must be called before the failure is
// recorded in Redis: if the process dies in between, the failure is saved twice and not
// lost. Errors and panics of backends are logged. A Save that ignores its context keeps
// its goroutine.
//
// Ruby: Resque::Failure::Multiple#save.
func SaveFailure(ctx context.Context, log *slog.Logger, backends []FailureBackend, f Failure) {
	if len(backends) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	saved := make(chan error, len(backends))
	for _, backend := range backends {
		go func() {
			err := errGoexit
			defer func() { saved <- err }()
			err = save(ctx, backend, f)
		}()
	}
	for range backends {
		select {
		case err := <-saved:
			if err != nil {
				log.Error("a failure backend failed", "queue", f.Queue, "worker", f.Worker, "err", err)
			}
		case <-ctx.Done():
			log.Error("a failure backend does not answer", "queue", f.Queue, "worker", f.Worker)
			return
		}
	}
}

// save calls a backend's Save. It returns a panic of Save as an error.
func save(ctx context.Context, backend FailureBackend, f Failure) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if err = backend.Save(ctx, f); err != nil {
		err = fmt.Errorf("%T: %w", backend, err)
	}
	return err
}
