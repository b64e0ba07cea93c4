//go:build !unix

package worker

import "os"

func followedSignals() []os.Signal { return []os.Signal{os.Interrupt} }

func (w *Worker) follow(os.Signal) { w.Interrupt() }
