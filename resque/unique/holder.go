package unique

import (
	"context"
	"errors"

	"github.com/goresque/goresque/resque"
)

// Holder returns the lock by which [resque.Client.Enqueue] would refuse job, because an
// equal job is there. ok is false if there is none. job must be made by a definition, or
// the client must have [resque.Client.WithJobs]. Holder reads Redis.
//
// Ruby: Resque.enqueued? of resque-loner.
func Holder(ctx context.Context, client *resque.Client, job resque.Job) (lock resque.HeldLock, ok bool, err error) {
	if client.Redis() == nil {
		return lock, false, errors.New("unique: Holder: the client is inline and has no Redis")
	}
	locks, err := client.HeldLocks(ctx, job)
	if err != nil || len(locks) == 0 {
		return lock, false, err
	}
	return locks[0], true, nil
}
