// Package limit limits how many jobs run at once, and how many start in a period, in
// all workers of a Redis together.
//
// The limit of a queue is in Redis. Workers obey a change with the next job that they take:
//
//	err := limit.Set(ctx, client, "exports", limit.Queue{Concurrency: 5, Rate: limit.PerMinute(100), Burst: 10})
//
// The jobs above the limit wait in their queue, in order, and workers take jobs from their
// other queues meanwhile.
//
// The limit of a class, or of the jobs with the same key, is a setting of the class:
//
//	var Exporter = resque.Define2[int64, string]("Exporter", "exports",
//		limit.Policy{Concurrency: 1, By: limit.Arg(1)}, // one job per customer at a time
//	)
//
// Jobs above that limit are delayed. A scheduler must run.
//
// Limits apply to Go workers only. Ruby's workers take jobs from a limited queue as from
// any other, and their jobs do not count. A limit is no lock against equal jobs.
package limit
