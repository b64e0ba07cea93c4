package resque

import "context"

// FailureLists says in which lists of Redis a worker records failures. The
// values can be combined.
type FailureLists uint8

// Where failures are recorded.
const (
	// FailuresTogether is FailedList for all of them.
	//
	// Ruby: Resque::Failure::Redis.
	FailuresTogether FailureLists = 1 << iota
	// FailuresByQueue is FailedListOf the queue that the job was on.
	//
	// Ruby: Resque::Failure::RedisMultiQueue.
	FailuresByQueue
	// FailuresNowhere is by itself: for those whose FailureBackends are all that
	// they want. Nothing can be requeued then.
	FailuresNowhere
)

// FailureBackend is told of failures, outside Redis: by a post to a webhook or a
// line in an error tracker. A worker has any number of them, beside its
// FailureLists.
//
// Ruby: Resque::Failure::Base, and Resque::Failure::Multiple for several.
type FailureBackend interface {
	// Save is called for each failure before it is recorded in Redis, by many
	// goroutines at once, and again for the same one where recording was cut
	// off: at least once, that is. It must return when ctx ends, which is after
	// some seconds. Its error is logged, and keeps nothing from going on.
	//
	// Ruby: Resque::Failure::Base#save.
	Save(ctx context.Context, failure Failure) error
}

// FailureBackendFunc is a function as a FailureBackend.
type FailureBackendFunc func(ctx context.Context, failure Failure) error

var _ FailureBackend = FailureBackendFunc(nil)

// Save calls f.
func (f FailureBackendFunc) Save(ctx context.Context, failure Failure) error { return f(ctx, failure) }
