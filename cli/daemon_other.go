//go:build !unix

package cli

import (
	"os"
	"syscall"
)

func detached() *syscall.SysProcAttr { return nil }

func apart() *syscall.SysProcAttr { return nil }

func handedOn() []os.Signal { return []os.Signal{os.Interrupt} }
