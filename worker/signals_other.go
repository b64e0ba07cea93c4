//go:build !unix

package worker

import "os"

func heeded() []os.Signal { return []os.Signal{os.Interrupt} }

func (w *Worker) heed(os.Signal) { w.Interrupt() }
