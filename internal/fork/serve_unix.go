//go:build unix

package fork

import (
	"os"
	"os/signal"
	"syscall"
)

// Supported reports whether the package works on this system.
const Supported = true

func closeOnExec(fd int) { syscall.CloseOnExec(fd) }

// dropSignals makes this process drop signals that a terminal or a supervisor sends to
// the whole process group, until stop is called. The signals are caught and not ignored,
// because processes that a job starts would inherit ignored signals.
func dropSignals() (stop func()) {
	dropped := make(chan os.Signal, 1) // when it is full, signals are dropped
	signal.Notify(dropped, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP,
		syscall.SIGPIPE) // otherwise Go would end the process when a job writes to a broken pipe
	return func() { signal.Stop(dropped) }
}
