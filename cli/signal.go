package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// UntilSignal returns a context that ends at the first INT, TERM, QUIT or HUP. A
// TERM, QUIT or HUP after that changes nothing: supervisors send them to a group
// and to its members. An INT after that ends the process at once. A HUP that was
// ignored when the process started stays ignored, as nohup wants it, and PIPE is
// ignored until stop is called: the end of the log's reader ends nothing. Call
// stop when done.
func UntilSignal(ctx context.Context) (_ context.Context, stop func()) {
	piped := make(chan os.Signal, 1)
	signal.Notify(piped, syscall.SIGPIPE) // not Ignore: a process that is started would inherit that
	ctx, end := untilSignal(ctx)
	return ctx, func() {
		end()
		signal.Stop(piped)
	}
}

// untilSignal is UntilSignal for commands that write to a pipe and end with it.
func untilSignal(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	interrupts, terms := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(interrupts, syscall.SIGINT)
	signal.Notify(terms, unlessIgnored(syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)...)
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

// unlessIgnored leaves out HUP if it is ignored.
func unlessIgnored(signals ...os.Signal) []os.Signal {
	var left []os.Signal
	for _, s := range signals {
		if s != syscall.SIGHUP || !signal.Ignored(s) {
			left = append(left, s)
		}
	}
	return left
}
