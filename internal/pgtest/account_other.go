//go:build !unix

package pgtest

import (
	"syscall"
	"testing"
)

// account is whom the server runs as: here we leave it to others to try.
func account() (as *syscall.SysProcAttr, ok bool) { return nil, false }

func (s *server) give(testing.TB, ...string) {}
