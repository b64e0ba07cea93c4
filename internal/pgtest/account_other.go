//go:build !unix

package pgtest

import (
	"syscall"
	"testing"
)

// account always returns false: these tests need Unix.
func account() (as *syscall.SysProcAttr, ok bool) { return nil, false }

func (s *server) chown(testing.TB, ...string) {}
