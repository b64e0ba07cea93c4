package worker

import "syscall"

// withParent makes a child end with the thread that started it.
func withParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
