//go:build unix

package worker

import (
	"os"
	"os/signal"
	"syscall"
)

// canFork tells whether ForkPerJob works here.
const canFork = true

func closeOnExec(fd int) { syscall.CloseOnExec(fd) }

// catchSignals has this process drop what a terminal or a supervisor sends to
// the whole group. They are caught and not ignored: what a job starts would
// inherit that.
func catchSignals() (stop func()) {
	dropped := make(chan os.Signal, 1) // one that is full drops
	signal.Notify(dropped, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP)
	return func() { signal.Stop(dropped) }
}
