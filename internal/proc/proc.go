// Package proc helps internal/fork and cli with processes: it finds this program's file,
// to start it again, and describes how a process ended.
package proc

import (
	"fmt"
	"os"
	"runtime"
)

// Self returns the file to run to start this program again. On Linux it is the
// same program even if a deploy has replaced the file since.
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

// Status returns how a process ended, such as "pid 42 SIGKILL (signal 9)" or
// "pid 42 exit 1". signaled reports whether a signal ended it.
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
