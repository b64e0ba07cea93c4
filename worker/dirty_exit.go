package worker

import (
	"github.com/goresque/goresque/internal/proc"
	"github.com/goresque/goresque/resque"
)

// dirtyExit is the error of a job whose child ended by a signal, in Ruby's
// words, or without saying how the job ended, which Ruby takes for success.
//
// Ruby: Resque::Worker#perform_with_fork.
func dirtyExit(c *child) error {
	status, signaled := proc.Status(c.cmd.ProcessState)
	if signaled {
		return &resque.DirtyExitError{Message: "Child process received unhandled signal " + status}
	}
	return &resque.DirtyExitError{Message: "Child process ended in the middle of its job: " + status}
}
