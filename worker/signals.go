package worker

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"time"
)

// abortTimeout is how long an aborted worker may take to record its running jobs.
const abortTimeout = time.Second

// RunWithSignals is [Worker.Run] for a program that is only a worker. TERM calls
// [Worker.Term], INT [Worker.Interrupt], QUIT [Worker.Quit], USR1 [Worker.EndJobs],
// USR2 [Worker.Pause] and CONT [Worker.Resume], as in Ruby. HUP acts as TERM unless
// it was ignored when the program started. PIPE is ignored. A second INT calls
// [Worker.Abort], and RunWithSignals returns within a second.
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
			return errors.New("worker: aborted before all running jobs were recorded: other workers will prune them")
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
