//go:build !unix

package worker

// canFork tells whether ForkPerJob works here.
const canFork = false

func closeOnExec(int) {}

func catchSignals() (stop func()) { return func() {} }
