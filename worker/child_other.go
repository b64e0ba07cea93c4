//go:build !linux

package worker

import "syscall"

// withParent has nothing to add: a child ends when its worker's pipe does.
func withParent() *syscall.SysProcAttr { return nil }
