//go:build !unix

package proc

import "os"

func endingSignal(*os.ProcessState) (number int, name string, dumped bool) { return 0, "", false }
