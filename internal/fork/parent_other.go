//go:build !linux

package fork

import "syscall"

// withParent returns no attributes: a child ends when the pipe of its parent closes.
func withParent() *syscall.SysProcAttr { return nil }
