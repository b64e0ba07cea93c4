//go:build !unix

package fork

// Supported reports whether the package works on this system.
const Supported = false

func closeOnExec(int) {}

func dropSignals() (stop func()) { return func() {} }
