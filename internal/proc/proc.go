// Package proc has what worker and cli both need of processes: how to start this
// program again, and how one has ended.
package proc

import (
	"fmt"
	"os"
	"runtime"
)

// Self is the file to start to have this very program again, also where a deploy
// has replaced the file it was started from.
func Self() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding this program: %w", err)
	}
	return self, nil
}

// Status is how a process ended, "pid 42 SIGKILL (signal 9)" or "pid 42 exit 1",
// and whether a signal ended it.
//
// Ruby: Process::Status#to_s.
func Status(ended *os.ProcessState) (text string, signaled bool) {
	number, name, dumped := endingSignal(ended)
	switch {
	case number == 0:
		return fmt.Sprintf("pid %d exit %d", ended.Pid(), ended.ExitCode()), false
	case name == "":
		text = fmt.Sprintf("pid %d SIG%d (signal %d)", ended.Pid(), number, number)
	default:
		text = fmt.Sprintf("pid %d %s (signal %d)", ended.Pid(), name, number)
	}
	if dumped {
		text += " (core dumped)"
	}
	return text, true
}
