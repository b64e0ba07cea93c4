//go:build unix

package cli

import "syscall"

// detached starts a process in a new session, without the terminal.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// apart starts a process in a new process group.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
