package fork

import "syscall"

// withParent returns attributes that make the system kill a child when the thread that
// started it ends.
func withParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
