//go:build unix

package fork

import (
	"os"
	"os/signal"
	"syscall"
)

// Supported reports whether this system has what the package needs.
const Supported = true

func closeOnExec(fd int) { syscall.CloseOnExec(fd) }

// dropSignals makes this process drop what a terminal or a supervisor sends to
// the whole group, until stop is called. The signals are caught, not ignored: the
// processes that a job starts would inherit that they are ignored.
func dropSignals() (stop func()) {
	dropped := make(chan os.Signal, 1) // when it is full, signals are dropped
	signal.Notify(dropped, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP,
		syscall.SIGPIPE) // Go would end the process when nothing reads what its job writes
	return func() { signal.Stop(dropped) }
}
