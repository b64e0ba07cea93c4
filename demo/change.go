package demo

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// What is done to an export from outside of its run. Each returns ok false when
// the export is not, or no longer, in a state for it: somebody was faster.

// retry makes an export that has ended without a file wait again.
func (e *Export) retry(ctx context.Context) (ok bool, err error) {
	return e.move(ctx, Queued, "", "state IN ?", []State{Failed, Cancelled, Expired})
}

// cancel has an export built no further. A run of it ends at its next piece.
func (e *Export) cancel(ctx context.Context) (ok bool, err error) {
	return e.move(ctx, Cancelled, "", "state IN ?", []State{Queued, Building})
}

// expire removes the file of an export whose time is over.
func (e *Export) expire(ctx context.Context) (ok bool, err error) {
	return e.move(ctx, Expired, "", "state = ?", Ready)
}

// lose marks an export as failed whose job is known to be gone: unless it has
// changed since it was fetched.
func (e *Export) lose(ctx context.Context, why string) (ok bool, err error) {
	return e.move(ctx, Failed, why, "version = ?", e.Version)
}

// putBack makes an export wait again whose job has gone back to its queue, unless
// it has changed since it was fetched.
func (e *Export) putBack(ctx context.Context) (ok bool, err error) {
	return e.move(ctx, Queued, "", "version = ?", e.Version)
}

// move takes the export to another state, if a condition holds. Its run, if there
// is one, is over with that, and its file goes: no state to which one is moved has
// a file.
func (e *Export) move(ctx context.Context, to State, message, condition string, args ...any) (ok bool, err error) {
	err = e.transaction(ctx, func(tx *gorm.DB) error {
		if _, err := lock(tx, e.ID); errors.Is(err, gorm.ErrRecordNotFound) {
			return nil // deleted
		} else if err != nil {
			return err
		}
		version, err := nextVersion(tx)
		if err != nil {
			return err
		}
		result := tx.Model(&Export{ID: e.ID}).Where(condition, args...).Updates(map[string]any{
			"state": to, "message": shorten(message), "done": 0, "bytes": 0, "attempt": gorm.Expr("attempt + 1"), "version": version,
		})
		if ok = result.RowsAffected == 1; !ok || result.Error != nil {
			return result.Error
		}
		return errors.Join(removeFile(tx, e.ID), tx.Take(e, e.ID).Error)
	})
	if err != nil {
		return false, fmt.Errorf("making export %d %s: %w", e.ID, to, err)
	}
	return ok, nil
}

// remove deletes the record and its file.
func (e *Export) remove(ctx context.Context) error {
	err := e.transaction(ctx, func(tx *gorm.DB) error {
		_, _ = lock(tx, e.ID) // gone is as well
		_, err := nextVersion(tx)
		return errors.Join(err, tx.Delete(e).Error) // its pieces go with it
	})
	if err != nil {
		return fmt.Errorf("deleting export %d: %w", e.ID, err)
	}
	return nil
}
