package cli

import (
	"context"
	"os/signal"
	"syscall"
)

// UntilSignal returns a context that ends at the first INT, TERM or QUIT. After
// that the signals have their usual effect again, so that a second one ends the
// process at once. Call stop when done.
func UntilSignal(ctx context.Context) (_ context.Context, stop func()) {
	ctx, stop = signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
