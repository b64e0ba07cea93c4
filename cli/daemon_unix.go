//go:build unix

package cli

import "syscall"

// detached makes a process leave the terminal's session.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// apart makes a process lead a group of its own.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
