package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// UntilSignal returns a context that ends at the first INT, TERM, QUIT or HUP. A
// second INT ends the process at once. A second TERM, QUIT or HUP has no effect,
// because supervisors send them to a group and also to its members. If HUP was
// ignored when the process started, as under nohup, it stays ignored. PIPE is ignored
// until stop is called, so the process continues if the reader of its log ends. Call
// stop when done.
func UntilSignal(ctx context.Context) (_ context.Context, stop func()) {
	piped := make(chan os.Signal, 1)
	signal.Notify(piped, syscall.SIGPIPE) // not Ignore: child processes would inherit that
	ctx, end := untilSignal(ctx)
	return ctx, func() {
		end()
		signal.Stop(piped)
	}
}

// untilSignal is UntilSignal for commands whose output may be a pipe: they end at
// PIPE.
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
		signal.Stop(interrupts) // the next INT ends the process
		cancel()
	}()
	return ctx, func() {
		cancel()
		<-heard
		signal.Stop(terms)
	}
}

// unlessIgnored removes HUP from signals if it is ignored.
func unlessIgnored(signals ...os.Signal) []os.Signal {
	var left []os.Signal
	for _, s := range signals {
		if s != syscall.SIGHUP || !signal.Ignored(s) {
			left = append(left, s)
		}
	}
	return left
}
