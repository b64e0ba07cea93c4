package demo

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// What ends a run of an export from outside.
var (
	errTakenOver = errors.New("another worker has begun it anew")
	errCancelled = errors.New("it was cancelled")
)

// begin makes this run the latest and removes what an earlier one has left.
func (e *Export) begin(ctx context.Context) error {
	var customers int64
	if err := e.db.WithContext(ctx).Model(&customer{}).Count(&customers).Error; err != nil {
		return err
	}
	return e.transaction(ctx, func(tx *gorm.DB) error {
		// Another worker may have begun, or somebody cancelled, since it was fetched.
		now, err := lock(tx, e.ID)
		if err != nil {
			return err
		}
		now.db = e.db
		*e = *now
		if e.State == Cancelled {
			return errCancelled
		}
		e.State, e.Message, e.SHA256 = Building, "", ""
		e.Done, e.Total, e.Bytes = 0, min(e.Rows, int(customers)), 0
		e.StartedAt, e.ExpiresAt = new(time.Now()), nil
		e.Attempt++
		if e.Version, err = nextVersion(tx); err != nil {
			return err
		}
		return errors.Join(removeFile(tx, e.ID), tx.Save(e).Error)
	})
}

// finish offers the file.
func (e *Export) finish(ctx context.Context) error {
	e.State, e.ExpiresAt = Ready, new(time.Now().UTC().Add(keptFor)) // UTC: SQLite compares texts
	return e.report(ctx)
}

// fail keeps message on the record, for people, and returns cause, for the log
// and for Resque, with what went wrong in keeping it.
func (e *Export) fail(ctx context.Context, message string, cause error) error {
	if errors.Is(cause, errTakenOver) {
		return cause
	}
	e.State, e.Message = Failed, shorten(message)
	// Also when ctx has ended: otherwise the page would wait for ever.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := e.report(ctx)
	if errors.Is(err, errTakenOver) || errors.Is(err, errCancelled) {
		return cause
	}
	return errors.Join(cause, err)
}

// report writes what a run has changed.
func (e *Export) report(ctx context.Context) error { return e.transaction(ctx, e.save) }

// save writes what a run changes, if this is the latest run.
func (e *Export) save(tx *gorm.DB) error {
	if err := e.hold(tx); err != nil {
		return err
	}
	var err error
	if e.Version, err = nextVersion(tx); err != nil {
		return err
	}
	return tx.Model(e).Select("State", "Message", "Done", "Bytes", "SHA256", "ExpiresAt", "Version").Updates(e).Error
}

// hold locks the export for a transaction of a run, and ends a run that is no
// longer wanted.
func (e *Export) hold(tx *gorm.DB) error {
	now, err := lock(tx, e.ID)
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound): // deleted
		return errCancelled
	case err != nil:
		return err
	case now.State == Cancelled:
		return errCancelled
	case now.Attempt != e.Attempt:
		return errTakenOver
	}
	return nil
}

// lock fetches an export for a transaction that changes it, and comes before
// nextVersion in each: two that took their locks in different orders would wait
// for one another. SQLite needs no lock: its transactions begin as writers.
func lock(tx *gorm.DB, id int64) (*Export, error) {
	e := &Export{}
	return e, tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Take(e, id).Error
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
