package worker

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"time"
)

// abortTimeout is how long an aborted worker has to tell Redis so.
const abortTimeout = time.Second

// RunWithSignals is Run for a process that is the worker: it does what Ruby's
// worker does on TERM, INT, QUIT, USR1, USR2 and CONT (docs/operations.md has the
// table), takes HUP for TERM unless it was ignored at the start, and ignores PIPE.
// On a second INT it records the running jobs as cut off and returns within a
// second.
//
// Ruby: Resque::Worker#register_signal_handlers.
func (w *Worker) RunWithSignals(ctx context.Context) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, followedSignals()...)
	defer signal.Stop(signals)
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	var aborted <-chan time.Time
	interrupts := 0
	for {
		select {
		case err := <-done:
			return err
		case <-aborted:
			return errors.New("worker: aborted before Redis had the ends of all running jobs: they are left to the sweeps of other workers")
		case sig := <-signals:
			if sig == os.Interrupt {
				interrupts++
			}
			if interrupts == 2 && aborted == nil {
				aborted = time.After(abortTimeout)
				w.Abort()
				continue
			}
			w.follow(sig)
		}
	}
}
