//go:build !unix

package fork

// Supported reports whether this system has what the package needs.
const Supported = false

func closeOnExec(int) {}

func dropSignals() (stop func()) { return func() {} }
