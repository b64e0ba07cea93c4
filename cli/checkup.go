package cli

import (
	"context"
	"log/slog"
	"time"
)

// patient is what a checkup needs of the store.
type patient interface {
	EvictionPolicy(ctx context.Context) (policy string, known bool, err error)
	Now(ctx context.Context) (time.Time, error)
}

const (
	// checkupTimeout is how long a worker's start may be held up by a checkup.
	checkupTimeout = 5 * time.Second
	// clockTolerance is how far two clocks may be apart that count as right.
	clockTolerance = 5 * time.Second
)

// checkup warns of what would lose or misplace jobs later on. What Redis does
// not tell is not warned of: that it is away is told by others.
func checkup(ctx context.Context, redis patient, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, checkupTimeout)
	defer cancel()
	if policy, known, err := redis.EvictionPolicy(ctx); err == nil && known && policy != "noeviction" {
		log.Warn("redis may evict keys when its memory is full, jobs included: set its maxmemory-policy to noeviction", "policy", policy)
	}
	before := time.Now()
	there, err := redis.Now(ctx)
	after := time.Now()
	if err != nil {
		return
	}
	// The answer is of some moment between before and after.
	apart := max(before.Sub(there), there.Sub(after))
	if apart > clockTolerance {
		log.Warn("the clocks of this machine and of redis disagree, and so will the times of jobs and workers: have both set by NTP",
			"here", after.UTC(), "redis", there, "difference", apart.Round(time.Second))
	}
}
