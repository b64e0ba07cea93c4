package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// Fixed is what [Fix] has done about a finding.
type Fixed struct {
	Code string `json:"code"`
	Done string `json:"done"`
	N    int64  `json:"count"`

	// Trash are tokens, with which [resque.Client.Restore] puts back what was removed.
	Trash []string `json:"trash,omitempty"`
}

// Fix does what can be done without a loss about the findings whose Fixable is true: it adds
// queues to the set of queues (K02), removes the heartbeats of workers that are gone (W06),
// and makes delayed jobs known to schedulers (D04, D05). A second call finds nothing to do.
// Use [Check] first to see what would be done.
func Fix(ctx context.Context, client *resque.Client, opts Options) ([]Fixed, error) {
	opts.Silence = cmp.Or(opts.Silence, 5*time.Minute)
	f := fixer{client: client, opts: opts}
	for _, fix := range []func(context.Context) error{f.queues, f.heartbeats, f.delayed} {
		if err := fix(ctx); err != nil {
			return f.fixed, fmt.Errorf("doctor: %w", err)
		}
	}
	return f.fixed, nil
}

type fixer struct {
	client *resque.Client
	opts   Options
	fixed  []Fixed
}

func (f *fixer) add(code, done string, n int64) {
	if n > 0 {
		f.fixed = append(f.fixed, Fixed{Code: code, Done: done, N: n})
	}
}

func (f *fixer) queues(ctx context.Context) error {
	n, err := store.New(f.client.Redis()).ListQueues(ctx)
	f.add("K02", "queues added to the set of queues", n)
	return err
}

func (f *fixer) heartbeats(ctx context.Context) error {
	snap, err := f.client.Snapshot(ctx)
	if err != nil {
		return err
	}
	var removed int64
	for _, w := range snap.Workers {
		if w.Registered {
			continue
		}
		_, err := f.client.Prune(ctx, w.ID, resque.PruneOptions{Silent: f.opts.Silence})
		switch {
		case err == nil:
			removed++
		case !errors.Is(err, resque.ErrNoWorker) && !errors.Is(err, resque.ErrWorkerAlive):
			return err
		}
	}
	f.add("W06", "heartbeats of workers that are gone removed", removed)
	return nil
}

func (f *fixer) delayed(ctx context.Context) error {
	repair, err := f.client.Delayed().Repair(ctx, false)
	f.add("D04", "seconds with delayed jobs made known to schedulers", repair.Added)
	f.add("D05", "due seconds without jobs removed", repair.Removed)
	return err
}
