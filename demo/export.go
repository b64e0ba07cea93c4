package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/goresque/goresque/resque"
)

// State is how far an export has come.
type State string

// An export's states. The first two are on the way to one of the others, from
// which an export can be asked for anew.
const (
	Queued    State = "queued"
	Building  State = "building"
	Ready     State = "ready"
	Failed    State = "failed"
	Cancelled State = "cancelled"
	Expired   State = "expired"
)

// keptFor is how long a file can be downloaded.
const keptFor = 24 * time.Hour

// Export is a CSV of the customers: asked for, being built, or there to be
// downloaded. The web app makes it and a worker fills it.
type Export struct {
	ID                   int64
	CreatedAt, UpdatedAt time.Time

	// Token is the form's that asked for it, if one did: asked twice, it finds
	// the export of the first time.
	Token *string `gorm:"uniqueIndex"`

	Rows    int     // wanted
	Seconds float64 // how long building takes: real rows would be too fast to watch

	State       State
	Message     string // why it failed
	Done, Total int    // rows
	Bytes       int64
	SHA256      string
	StartedAt   *time.Time // the latest run
	ExpiresAt   *time.Time

	// Attempt counts the runs. A run whose number is not the latest has been
	// taken over and must change nothing any more.
	Attempt int

	// Version rises with every change. Versions of all exports are one row of
	// numbers, so that who has seen one need only ask for the higher ones.
	Version int64 `gorm:"index"`

	db *gorm.DB
}

// AfterFind gives an export of an older demo, whose file is in another form, a time
// at which it ended.
func (e *Export) AfterFind(*gorm.DB) error {
	if e.ExpiresAt == nil {
		e.ExpiresAt = &e.CreatedAt
	}
	return nil
}

// Complete reports whether there is nothing left to wait for.
func (e *Export) Complete() bool { return e.State != Queued && e.State != Building }

// enqueuer is what an export needs of a resque.Client.
type enqueuer interface {
	Enqueue(ctx context.Context, job resque.Job) (queued bool, err error)
}

var _ enqueuer = (*resque.Client)(nil)

// AsyncPopulate has the export filled later, by whoever works the queue. The
// export must be committed, or a fast worker would not find it. One that cannot
// be queued is marked as failed.
func (e *Export) AsyncPopulate(ctx context.Context, jobs enqueuer) error {
	if _, err := jobs.Enqueue(ctx, Exporter.With(e.ID)); err != nil {
		return e.fail(ctx, "could not be queued: Redis cannot be reached", fmt.Errorf("queueing export %d: %w", e.ID, err))
	}
	return nil
}

// PerformLengthyComputation builds the export's file. Running it again starts
// over, and until it is done no file is offered. It stops when ctx ends, and when
// the export is cancelled or deleted, which is no error. An error is kept on the
// record for the page, and returned for Resque.
func (e *Export) PerformLengthyComputation(ctx context.Context) error {
	err := e.begin(ctx)
	if err == nil {
		err = e.build(ctx)
	}
	if err == nil {
		err = e.finish(ctx)
	}
	switch {
	case errors.Is(err, errCancelled):
		return nil
	case err != nil:
		return e.fail(ctx, err.Error(), fmt.Errorf("export %d: %w", e.ID, err))
	}
	return nil
}
