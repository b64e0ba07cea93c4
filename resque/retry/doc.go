// Package retry performs failed jobs again. Its [Policy] is a setting of a class:
//
//	var Exporter = resque.Define1[int64]("Exporter", "exports",
//		retry.Policy{Limit: 5, Delay: retry.Exponential},
//	)
//
// Attempts are counted on the keys of the Ruby plugin resque-retry, so that Ruby and Go
// workers can alternate attempts of a job. A retry is written to Redis in the same step
// that removes the record of the running job. So no attempt is lost or done twice if a
// process dies. A job whose worker died has also failed an attempt.
//
// Jobs that wait for their next attempt are delayed jobs. A scheduler must run: that of
// Ruby's resque-scheduler, or `goresque scheduler`.
//
// A handler can decide about its next attempt: see [resque.RetryIn], [resque.Discard] and
// [resque.Snooze].
package retry
