package scheduler

import (
	"context"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// Status describes which scheduler is master, and what it does.
type Status struct {
	// Master is the text in the lock; empty if no scheduler is master. Host and PID are
	// the process that wrote it. Go is false for a scheduler of another implementation,
	// which is usually Ruby's. On many hosts, Ruby's scheduler writes localhost as its
	// host.
	Master string
	Host   string
	PID    int
	Go     bool

	// Since is when the master became master. Moved is how many jobs it has moved to
	// queues, and Lateness how late the oldest job was that it moved last. They are zero
	// unless the master is a Go scheduler.
	Since    time.Time
	Moved    int64
	Lateness time.Duration

	// Next is the first second that has delayed jobs; zero if there are none. Overdue is
	// how long ago it was. More than a few seconds mean that no scheduler works, or that
	// it cannot keep up.
	Next    time.Time
	Overdue time.Duration

	Now time.Time // by Redis's clock
}

// ReadStatus returns the status of the schedulers of client's Redis, in one round trip.
// prefix is [Config.LockPrefix].
func ReadStatus(ctx context.Context, client *resque.Client, prefix string) (Status, error) {
	m, err := store.New(client.Redis()).ReadMaster(ctx, prefix)
	if err != nil {
		return Status{}, err
	}
	id, _ := wire.ParseWorkerID(m.Holder)
	s := Status{
		Master: m.Holder, Host: id.Host, PID: id.PID(), Go: id.Go,
		Since: m.Since, Moved: m.Moved, Lateness: m.Lateness,
		Next: m.Oldest, Now: m.Now,
	}
	if !s.Next.IsZero() {
		s.Overdue = max(s.Now.Sub(s.Next), 0)
	}
	return s, nil
}
