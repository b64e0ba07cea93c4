package cli

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// patient is the part of the store that checkup uses.
type patient interface {
	EvictionPolicy(ctx context.Context) (policy string, known bool, err error)
	Now(ctx context.Context) (time.Time, error)
	MissingRights(ctx context.Context) (commands []string, err error)
}

const (
	// checkupTimeout is how long checkup can delay the start of a worker.
	checkupTimeout = 5 * time.Second
	// clockTolerance is the largest accepted difference between two clocks.
	clockTolerance = 5 * time.Second
)

// checkup warns of settings that would lose jobs or record wrong times, and of missing
// rights. It ignores errors: if Redis does not answer, the worker reports that.
func checkup(ctx context.Context, redis patient, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, checkupTimeout)
	defer cancel()
	if policy, known, err := redis.EvictionPolicy(ctx); err == nil && known && policy != "noeviction" {
		log.Warn("redis may delete jobs when its memory is full: set maxmemory-policy to noeviction", "policy", policy)
	}
	if commands, err := redis.MissingRights(ctx); err == nil && len(commands) > 0 {
		log.Warn("the redis user lacks rights that a worker can do without", "commands", strings.Join(commands, ", "))
	}
	before := time.Now()
	there, err := redis.Now(ctx)
	after := time.Now()
	if err != nil {
		return
	}
	// Redis answered at some time between before and after.
	apart := max(before.Sub(there), there.Sub(after))
	if apart > clockTolerance {
		log.Warn("clocks of this machine and redis differ, times of jobs and workers will be wrong: synchronize both with NTP",
			"here", after.UTC(), "redis", there, "difference", apart.Round(time.Second))
	}
}
