package demo

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/goresque/goresque/demo/customers"
	"github.com/goresque/goresque/demo/database"
	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/outbox"
	"github.com/goresque/goresque/resque/status"
)

// Export is a CSV of the customers. The web app stores it empty, and a worker fills
// it. Its states are queued, building and ready; before them it can be scheduled. It
// can also be failed, canceled by its visitor or, a day later, expired; then it can
// be retried.
type Export struct {
	// Record has the fields that change: ID, State, Done of Total rows, Message if
	// it failed, Bytes of the file, and DueAt if it is not built at once.
	record.Record

	// Token is the token of the form that created the export, or nil. A second
	// request with the same token finds the same export.
	Token *string `gorm:"uniqueIndex"`

	Rows int // wanted
}

// AsyncPopulate stores the job that fills the export, in the transaction that stores the
// export: both are committed, or neither. The relay of the web app then enqueues the job. A
// scheduler takes the job of a scheduled export to the queue when it is due.
func (e *Export) AsyncPopulate(ctx context.Context, tx *gorm.DB) error {
	job := Exporter.Job(e.ID)
	if e.DueAt != nil {
		job = job.At(*e.DueAt)
	}
	own, err := database.SQL(tx)
	if err == nil {
		_, err = outbox.Write(ctx, own, job)
	}
	if err != nil {
		return fmt.Errorf("storing the job of export %d: %w", e.ID, err)
	}
	return nil
}

// PerformLengthyComputation builds the export's file. A second call starts from the
// beginning. The file can be downloaded only when it is complete. The computation
// stops when ctx ends. If the export is canceled or deleted it stops and returns
// nil. Any other error is stored with the export, for the page, and returned, for
// Resque.
func (e *Export) PerformLengthyComputation(ctx context.Context) error {
	there, err := customers.Count(ctx, e.DB())
	if err != nil {
		return e.Fail(ctx, err.Error(), fmt.Errorf("export %d: %w", e.ID, err))
	}
	return e.Perform(ctx, min(e.Rows, there), e.write)
}

// write writes the customers as CSV, in parts. After each part the draft stores it,
// reports the progress and waits until it is time for more rows. Without the wait
// the export would be ready before a visitor could watch it.
func (e *Export) write(ctx context.Context, file *record.Draft) error {
	lines := csv.NewWriter(file)
	if err := lines.Write(customers.Header()); err != nil {
		return fmt.Errorf("writing the header: %w", err)
	}
	for part, err := range customers.First(ctx, e.DB(), e.Total) {
		if err != nil {
			return err
		}
		for _, c := range part {
			if err := lines.Write(c.Line()); err != nil {
				return fmt.Errorf("writing customer %d: %w", c.ID, err)
			}
		}
		lines.Flush()
		if err := file.Rows(ctx, len(part)); err != nil {
			return err
		}
		if err := status.At(ctx, e.Done, e.Total, "writing the file"); err != nil {
			return err
		}
	}
	lines.Flush()
	return nil
}

// exports is the table of the exports.
type exports struct{ db *database.DB }

// create stores and commits an empty export and its job. If delay is not 0, the export is scheduled.
// If an export with the same token exists, and the token is not empty, create returns
// that export, and made is false.
func (x exports) create(ctx context.Context, rows int, seconds float64, delay time.Duration, token string) (e *Export, made bool, err error) {
	e = &Export{Record: record.Record{Seconds: seconds, Total: rows}, Rows: rows}
	if delay > 0 {
		due := time.Now().Add(delay).Truncate(time.Second) // delayed jobs are due at whole seconds
		e.DueAt = &due
	}
	if token != "" {
		e.Token = &token
	}
	err = x.db.Alone(ctx, func(tx *gorm.DB) error {
		e.ID = 0 // Alone may call this function again
		result := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "token"}}, DoNothing: true}).Create(e)
		if made = result.RowsAffected == 1; made {
			return e.AsyncPopulate(ctx, tx)
		}
		if result.Error != nil {
			return result.Error
		}
		*e = Export{}
		return tx.Take(e, "token = ?", token).Error
	})
	if err != nil {
		return nil, false, fmt.Errorf("storing an export: %w", err)
	}
	e.In(x.db)
	return e, made, nil
}

// find returns an export. The error is a *notFoundError if it does not exist.
func (x exports) find(ctx context.Context, id int64) (*Export, error) {
	e := &Export{}
	e.In(x.db)
	err := x.db.WithContext(ctx).Take(e, "id = ?", id).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil, &notFoundError{id}
	case err != nil:
		return nil, fmt.Errorf("finding export %d: %w", id, err)
	}
	return e, nil
}

// mostStored is the number of jobs in the outbox that stored reads.
const mostStored = 10_000

// stored returns the ids of the exports whose jobs are in the outbox: the relay has not
// enqueued them yet.
func (x exports) stored(ctx context.Context) (map[int64]bool, error) {
	conns, err := x.db.DB.DB()
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	entries, err := outbox.List(ctx, conns, mostStored)
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	ids := map[int64]bool{}
	for _, e := range entries {
		var id int64
		job, err := resque.ParsePayload(e.Queue, e.Payload)
		if err == nil && job.Class == Exporter.Class() && job.Bind(&id) == nil {
			ids[id] = true
		}
	}
	return ids, nil
}

// restore is for a Redis that has started without the jobs of the exports. It stores the jobs
// of scheduled exports again, so that those that were due meanwhile are built at once, and
// marks the others as failed. Jobs that are still in the outbox are not lost.
func (x exports) restore(ctx context.Context) error {
	stored, err := x.stored(ctx)
	if err != nil {
		return err
	}
	if err := record.Interrupt(ctx, x.db, "the demo was stopped before the export was done", stored); err != nil {
		return err
	}
	var all []*Export
	err = x.db.WithContext(ctx).Find(&all, "state = ?", record.Scheduled).Error
	for _, e := range all {
		if !stored[e.ID] {
			err = errors.Join(err, x.db.Alone(ctx, func(tx *gorm.DB) error { return e.AsyncPopulate(ctx, tx) }))
		}
	}
	if err != nil {
		return fmt.Errorf("storing the jobs of scheduled exports: %w", err)
	}
	return nil
}

// latest returns the n newest exports, newest first.
func (x exports) latest(ctx context.Context, n int) (all []*Export, err error) {
	if err := x.db.WithContext(ctx).Order("id DESC").Limit(n).Find(&all).Error; err != nil {
		return nil, fmt.Errorf("listing exports: %w", err)
	}
	for _, e := range all {
		e.In(x.db)
	}
	return all, nil
}

// notFoundError reports an export that does not exist.
type notFoundError struct{ id int64 }

func (e *notFoundError) Error() string { return fmt.Sprintf("couldn't find Export with id=%d", e.id) }

// ExceptionName returns the name of the error that Rails raises.
func (e *notFoundError) ExceptionName() string { return "ActiveRecord::RecordNotFound" }
