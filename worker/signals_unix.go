//go:build unix

package worker

import (
	"os"
	"os/signal"
	"syscall"
)

// followedSignals returns the signals that RunWithSignals handles. PIPE is among
// them because Go otherwise ends a program when the reader of its log is gone.
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

// follow calls the method for a signal.
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
