// Package record keeps what several processes change at once: every change has a
// version, a run that was overtaken changes nothing, and no half file is offered.
package record

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/goresque/goresque/demo/database"
)

// State is how far an export is.
type State string

// The states of an export. Queued and Building lead to one of the others, and
// Failed, Cancelled and Expired lead back to Queued.
const (
	Queued    State = "queued"
	Building  State = "building"
	Ready     State = "ready"
	Failed    State = "failed"
	Cancelled State = "cancelled"
	Expired   State = "expired"

	Deleted State = "deleted" // meanwhile: in memory only
)

// KeptFor is how long a file can be downloaded.
const KeptFor = 24 * time.Hour

// Record is the part of an export that changes.
type Record struct {
	ID                   int64
	CreatedAt, UpdatedAt time.Time

	Seconds float64 // that building takes: without, it would be too fast to watch

	State       State
	Message     string // why it failed
	Done, Total int    // rows
	Bytes       int64  // of its file
	SHA256      string
	StartedAt   *time.Time // the latest run
	ExpiresAt   *time.Time

	// Attempt counts the runs and what ends one from outside. A run with another
	// number was overtaken and must change nothing.
	Attempt int

	// Version rises with every change. All records share one counter, so that a
	// reader who has seen one version asks for the higher ones only.
	Version int64 `gorm:"index"`

	db *database.DB
}

// TableName is the table of the records, also when they are embedded.
func (*Record) TableName() string { return "exports" }

// Models returns what needs a table besides the type that embeds Record.
func Models() []any { return []any{&chunk{}, &counter{}} }

// BeforeCreate gives a new record its first state and version.
func (r *Record) BeforeCreate(tx *gorm.DB) (err error) {
	r.State = Queued
	r.Version, err = nextVersion(tx)
	return err
}

// AfterFind gives a record of an older demo, whose file has another form, a time
// at which it expired.
func (r *Record) AfterFind(*gorm.DB) error {
	if r.ExpiresAt == nil {
		r.ExpiresAt = &r.CreatedAt
	}
	return nil
}

// In sets the database of a record that was read from it.
func (r *Record) In(db *database.DB) { r.db = db }

// DB returns the database of the record.
func (r *Record) DB() *database.DB { return r.db }

// Complete reports whether there is nothing left to wait for.
func (r *Record) Complete() bool { return r.State != Queued && r.State != Building }

// What changes a record from outside of its run follows. Each returns false if the
// record is not, or no longer, in a state for it, and leaves the record as it is in
// the database then.

// Retry makes a record that ended without a file wait again.
func (r *Record) Retry(ctx context.Context) (bool, error) {
	return r.move(ctx, Queued, "", "state IN ?", []State{Failed, Cancelled, Expired})
}

// Cancel stops the building of a record. Its run ends at its next piece.
func (r *Record) Cancel(ctx context.Context) (bool, error) {
	return r.move(ctx, Cancelled, "", "state IN ?", []State{Queued, Building})
}

// Expire removes the file of a record.
func (r *Record) Expire(ctx context.Context) (bool, error) {
	return r.move(ctx, Expired, "", "state = ?", Ready)
}

// Lose marks a record as failed whose job no longer exists, unless it has changed
// since it was read.
func (r *Record) Lose(ctx context.Context, why string) (bool, error) {
	return r.move(ctx, Failed, why, "version = ?", r.Version)
}

// PutBack makes a record wait again whose job was returned to its queue, unless it
// has changed since it was read.
func (r *Record) PutBack(ctx context.Context) (bool, error) {
	return r.move(ctx, Queued, "", "version = ?", r.Version)
}

// move changes the state if a condition holds. This ends a run and removes the
// file: none of the states that move leads to has one.
func (r *Record) move(ctx context.Context, to State, message, condition string, args ...any) (ok bool, err error) {
	err = r.db.Alone(ctx, func(tx *gorm.DB) error {
		if _, err := lock(tx, r.ID); errors.Is(err, gorm.ErrRecordNotFound) {
			r.State = Deleted
			return nil
		} else if err != nil {
			return err
		}
		version, err := nextVersion(tx)
		if err != nil {
			return err
		}
		result := tx.Model(&Record{ID: r.ID}).Where(condition, args...).Updates(map[string]any{
			"state": to, "message": shorten(message), "done": 0, "bytes": 0, "attempt": gorm.Expr("attempt + 1"), "version": version,
		})
		if ok = result.RowsAffected == 1; ok {
			err = removeFile(tx, r.ID)
		}
		now := Record{db: r.db}
		if err := errors.Join(result.Error, err, tx.Take(&now, r.ID).Error); err != nil {
			return err
		}
		*r = now
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("making export %d %s: %w", r.ID, to, err)
	}
	return ok, nil
}

// Remove deletes the record and its file.
func (r *Record) Remove(ctx context.Context) error {
	err := r.db.Alone(ctx, func(tx *gorm.DB) error {
		_, _ = lock(tx, r.ID) // it may be deleted already
		_, err := nextVersion(tx)
		return errors.Join(err, removeFile(tx, r.ID), tx.Delete(&Record{ID: r.ID}).Error)
	})
	if err != nil {
		return fmt.Errorf("deleting export %d: %w", r.ID, err)
	}
	return nil
}

// lock reads a record for a transaction that changes it. Each transaction calls
// lock before nextVersion: two that lock in different orders wait for each other.
// SQLite needs no lock, because its transactions begin as writers.
func lock(tx *gorm.DB, id int64) (*Record, error) {
	r := &Record{}
	return r, tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Take(r, id).Error
}

func shorten(message string) string {
	const most = 200
	if runes := []rune(message); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return message
}
