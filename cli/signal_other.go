//go:build !unix

package cli

import "os"

func forwardedSignals() []os.Signal { return []os.Signal{os.Interrupt} }
