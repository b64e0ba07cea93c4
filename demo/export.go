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

// An export's states, in order; a rerun goes back to Building.
const (
	Queued   State = "queued"
	Building State = "building"
	Ready    State = "ready"
	Failed   State = "failed"
)

// Export is a CSV of the customers: asked for, being built, or there to be
// downloaded. The web app makes it and a worker fills it.
type Export struct {
	ID                   int64
	CreatedAt, UpdatedAt time.Time

	Rows    int     // wanted
	Seconds float64 // how long building takes: real rows would be too fast to watch

	State       State
	Message     string // why it failed
	Done, Total int    // rows
	Bytes       int

	// Attempt counts the runs. A run whose number is not the latest has been
	// taken over and must change nothing any more.
	Attempt int

	db *gorm.DB
}

// Complete reports whether there is nothing left to wait for.
func (e *Export) Complete() bool { return e.State == Ready || e.State == Failed }

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
// over, and until it is done no file is offered. It stops when ctx ends. An error
// is kept on the record for the page, and returned for Resque.
func (e *Export) PerformLengthyComputation(ctx context.Context) error {
	err := e.begin(ctx)
	if err == nil {
		err = e.build(ctx)
	}
	if err == nil {
		err = e.finish(ctx)
	}
	if err != nil {
		err = fmt.Errorf("export %d: %w", e.ID, err)
		return e.fail(ctx, err.Error(), err)
	}
	return nil
}

// begin makes this run the latest and removes what an earlier one has left.
func (e *Export) begin(ctx context.Context) error {
	return e.transaction(ctx, func(tx *gorm.DB) error {
		var customers int64
		if err := errors.Join(
			tx.Take(e, e.ID).Error, // another worker may have begun since it was fetched
			tx.Model(&customer{}).Count(&customers).Error,
			tx.Delete(&chunk{}, "export_id = ?", e.ID).Error,
		); err != nil {
			return err
		}
		e.State, e.Message = Building, ""
		e.Done, e.Total, e.Bytes = 0, min(e.Rows, int(customers)), 0
		e.Attempt++
		return tx.Save(e).Error
	})
}

func (e *Export) finish(ctx context.Context) error {
	e.State = Ready
	return e.transaction(ctx, e.save)
}

// fail keeps message on the record, for people, and returns cause, for the log
// and for Resque, with what went wrong in
// keeping it.
func (e *Export) fail(ctx context.Context, message string, cause error) error {
	if errors.Is(cause, errTakenOver) {
		return cause
	}
	e.State, e.Message = Failed, shorten(message)
	// Also when ctx has ended: otherwise the page would wait for ever.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := e.transaction(ctx, e.save)
	if errors.Is(err, errTakenOver) {
		return cause
	}
	return errors.Join(cause, err)
}

// retry makes a failed export wait again. ok is false when it is not failed, or
// no longer: somebody was faster.
func (e *Export) retry(ctx context.Context) (ok bool, err error) {
	result := e.db.WithContext(ctx).Model(e).Where("state = ?", Failed).
		Updates(map[string]any{"state": Queued, "message": "", "done": 0, "bytes": 0})
	if result.Error != nil {
		return false, fmt.Errorf("retrying export %d: %w", e.ID, result.Error)
	}
	return result.RowsAffected == 1, nil
}

// errTakenOver ends a run of an export when a later one has begun.
var errTakenOver = errors.New("another worker has begun it anew")

// save writes what a run changes, if this is the latest run.
func (e *Export) save(tx *gorm.DB) error {
	result := tx.Model(e).Where("attempt = ?", e.Attempt).
		Select("State", "Message", "Done", "Bytes").Updates(e)
	if result.Error == nil && result.RowsAffected == 0 {
		return errTakenOver
	}
	return result.Error
}

// transaction runs fn in one, again if need be: what fn reads stays true until it
// has written.
func (e *Export) transaction(ctx context.Context, fn func(tx *gorm.DB) error) error {
	return alone(ctx, e.db, fn)
}

func shorten(message string) string {
	const most = 200
	if runes := []rune(message); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return message
}
