// Package worker performs Resque jobs: it reserves them from their queues, runs
// their handlers in so many slots at once, and records how they ended, as a
// Ruby worker would and beside Ruby workers.
//
//	w, err := worker.New(client, mux, worker.Config{Queues: []string{"exports", "*"}})
//	err = w.Run(ctx) // blocks; nil after a clean drain
//
// A job is in its queue or in its worker's record at every instant, never only
// in memory. life.go follows one job from its reserve to its recorded end;
// exchange.go is where the slots meet Redis.
package worker
