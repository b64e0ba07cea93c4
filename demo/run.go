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
		return err //nolint:wrapcheck // PerformLengthyComputation wraps it
	}
	return e.transaction(ctx, func(tx *gorm.DB) error {
		// Another worker may have begun, or somebody cancelled, since it was fetched.
		if err := tx.Clauses(forUpdate()).Take(e, e.ID).Error; err != nil {
			return err
		}
		if e.State == Cancelled {
			return errCancelled
		}
		e.State, e.Message, e.SHA256 = Building, "", ""
		e.Done, e.Total, e.Bytes = 0, min(e.Rows, int(customers)), 0
		e.StartedAt, e.ExpiresAt = new(time.Now()), nil
		e.Attempt++
		var err error
		if e.Version, err = nextVersion(tx); err != nil {
			return err
		}
		return errors.Join(removeFile(tx, e.ID), tx.Save(e).Error)
	})
}

// finish offers the file.
func (e *Export) finish(ctx context.Context) error {
	e.State, e.ExpiresAt = Ready, new(time.Now().Add(keptFor))
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
	var now Export
	err := tx.Clauses(forUpdate()).Select("state", "attempt").Take(&now, e.ID).Error
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

// forUpdate locks a row that is read. SQLite has no such words and needs none:
// its transactions begin as writers.
func forUpdate() clause.Locking { return clause.Locking{Strength: clause.LockingStrengthUpdate} }

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
