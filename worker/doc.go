// Package worker performs Resque jobs. A [Worker] reserves jobs from their queues,
// calls their handlers in one or more slots, and records the results. It works
// beside Ruby's workers and uses the same keys.
//
//	w, err := worker.New(client, mux, worker.Config{Queues: []string{"exports", "*"}})
//	if err != nil {
//		return err
//	}
//	return w.Run(ctx)
//
// [Worker.Run] blocks until ctx ends. Then it takes no more jobs and finishes the
// running ones; StopTimeout of [Config] limits how long that may take.
//
// A job is always in its queue or in its worker's record in Redis, never only in
// memory. A handler may run twice for the same job if its worker dies and the job is
// requeued, so it must be idempotent.
//
// The file job.go follows a job from its reserve to its result. Slots reserve and
// finish jobs through internal/exchange. With ForkPerJob, internal/fork runs the
// child processes that perform them.
package worker
