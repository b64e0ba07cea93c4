// Package worker performs Resque jobs: it reserves them from their queues, runs
// their handlers in so many slots at once, and records how they ended, as a
// Ruby worker would and beside Ruby workers.
//
//	w, err := worker.New(client, mux, worker.Config{Queues: []string{"exports", "*"}})
//	err = w.Run(ctx) // blocks; nil after a clean drain
//
// A job is in its queue or in its worker's record at every instant, never only
// in memory. job.go follows a job from its reserve to its end. The slots of a
// worker reserve and finish their jobs through internal/exchange, and with
// ForkPerJob internal/fork has them performed by child processes.
package worker
