package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// UntilSignal returns a context that ends at the first INT, TERM or QUIT. A TERM
// or QUIT after that changes nothing: supervisors send them to a group and to
// its members. An INT after that ends the process at once. Call stop when done.
func UntilSignal(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	interrupts, terms := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(interrupts, syscall.SIGINT)
	signal.Notify(terms, syscall.SIGTERM, syscall.SIGQUIT)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		select {
		case <-interrupts:
		case <-terms:
		case <-ctx.Done():
		}
		signal.Stop(interrupts) // from now on an INT has its usual effect
		cancel()
	}()
	return ctx, func() {
		cancel()
		<-heard
		signal.Stop(terms)
	}
}
