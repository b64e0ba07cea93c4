//go:build unix

package worker

import (
	"os"
	"syscall"
)

// followedSignals are the signals that a worker's process follows.
func followedSignals() []os.Signal {
	return []os.Signal{
		syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGCONT,
	}
}

// follow follows a signal.
func (w *Worker) follow(sig os.Signal) {
	switch sig {
	case syscall.SIGTERM:
		w.Term()
	case syscall.SIGINT:
		w.Interrupt()
	case syscall.SIGQUIT:
		w.Quit()
	case syscall.SIGUSR1:
		w.EndJobs()
	case syscall.SIGUSR2:
		w.Pause()
	case syscall.SIGCONT:
		w.Resume()
	}
}
