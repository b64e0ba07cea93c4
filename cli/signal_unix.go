//go:build unix

package cli

import (
	"os"
	"syscall"
)

// forwardedSignals returns the signals that the workers command forwards to its
// processes.
func forwardedSignals() []os.Signal {
	return unlessIgnored(
		syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGCONT,
	)
}
