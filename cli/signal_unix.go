//go:build unix

package cli

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// onUserSignals calls a function for each USR1 and USR2 until stop is called.
func onUserSignals(usr1, usr2 func()) (stop func()) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	var handling sync.WaitGroup
	handling.Go(func() {
		for s := range signals {
			if s == syscall.SIGUSR1 {
				usr1()
			} else {
				usr2()
			}
		}
	})
	return func() {
		signal.Stop(signals)
		close(signals)
		handling.Wait()
	}
}

// forwardedSignals returns the signals that the workers command forwards to its
// processes.
func forwardedSignals() []os.Signal {
	return unlessIgnored(
		syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGCONT,
	)
}
