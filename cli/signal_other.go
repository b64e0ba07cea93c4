//go:build !unix

package cli

import "os"

func forwardedSignals() []os.Signal { return []os.Signal{os.Interrupt} }

// onUserSignals does nothing: this system has no such signals.
func onUserSignals(_, _ func()) (stop func()) { return func() {} }
