//go:build unix

package worker

import (
	"os"
	"os/signal"
	"syscall"
)

// followedSignals are the signals that a worker's process follows. PIPE is among them
// because Go ends a program for it: the reader of the log may be gone.
func followedSignals() []os.Signal {
	all := []os.Signal{
		syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGCONT, syscall.SIGPIPE,
	}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// follow follows a signal.
func (w *Worker) follow(sig os.Signal) {
	switch sig {
	case syscall.SIGTERM, syscall.SIGHUP:
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
