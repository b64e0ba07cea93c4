//go:build !linux

package fork

import "syscall"

// withParent returns nothing to add: a child ends when its parent's pipe closes.
func withParent() *syscall.SysProcAttr { return nil }
