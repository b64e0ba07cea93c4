// Package record stores the state of exports, which several processes change at the
// same time: each change has a version, a run that was overtaken changes nothing, and
// a file can be downloaded only when it is complete.
package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/goresque/goresque/demo/database"
)

// State is the state of an export.
type State string

// The states of an export. Scheduled leads to Queued or Building. Queued and Building
// lead to one of the others, and Failed, Canceled and Expired lead back to Queued.
const (
	Scheduled State = "scheduled"
	Queued    State = "queued"
	Building  State = "building"
	Ready     State = "ready"
	Failed    State = "failed"
	Canceled  State = "canceled"
	Expired   State = "expired"

	Deleted State = "deleted" // another request deleted it; never stored
)

// KeptFor is how long a file can be downloaded.
const KeptFor = 24 * time.Hour

// Record is the part of an export that changes.
type Record struct {
	ID                   int64
	CreatedAt, UpdatedAt time.Time

	Seconds float64 // how long building takes; 0 is too fast to watch

	State       State
	Message     string // why it failed
	Done, Total int    // rows
	Bytes       int64  // of its file
	SHA256      string
	DueAt       *time.Time // when its job goes to the queue; nil if it did at once
	StartedAt   *time.Time // of the latest run
	ExpiresAt   *time.Time

	// Attempt rises when a run starts and when a run is ended from outside. A run
	// whose number differs from it was overtaken and must change nothing.
	Attempt int

	// Version rises with every change. All records share one counter, so a reader
	// that knows one version needs only the records with higher ones.
	Version int64 `gorm:"index"`

	db *database.DB
}

// TableName returns the table of the records and of the type that embeds Record.
func (*Record) TableName() string { return "exports" }

// Models returns the models that need a table, without the type that embeds Record.
func Models() []any { return []any{&chunk{}, &counter{}} }

// BeforeCreate sets the first state and version of a new record.
func (r *Record) BeforeCreate(tx *gorm.DB) (err error) {
	r.State = Queued
	if r.DueAt != nil {
		r.State = Scheduled
	}
	r.Version, err = nextVersion(tx)
	return err
}

// AfterFind makes a record of an older demo expire, because its file has another
// format.
func (r *Record) AfterFind(*gorm.DB) error {
	if r.ExpiresAt == nil {
		r.ExpiresAt = &r.CreatedAt
	}
	return nil
}

// In sets the database that the record was read from.
func (r *Record) In(db *database.DB) { r.db = db }

// DB returns the database of the record.
func (r *Record) DB() *database.DB { return r.db }

// underWay returns the states of a record whose job waits or runs.
func underWay() []State { return []State{Scheduled, Queued, Building} }

// Complete reports whether the record is neither scheduled nor queued nor building.
func (r *Record) Complete() bool { return !slices.Contains(underWay(), r.State) }

// DueBy reports whether the record is scheduled for now or earlier.
func (r *Record) DueBy(now time.Time) bool {
	return r.State == Scheduled && (r.DueAt == nil || !r.DueAt.After(now))
}

// The methods from Retry to PutBack change a record from outside its run. They return
// false, and change nothing in the database, if the record is not in a state that
// the method can change. In both cases they update r from the database. If the
// record does not exist, r.State is Deleted.

// Retry marks a record that ended without a file as queued. It calls populate, which
// stores the job, in the same transaction.
func (r *Record) Retry(ctx context.Context, populate func(tx *gorm.DB) error) (bool, error) {
	return r.moveWith(ctx, populate, Queued, "", "state IN ?", []State{Failed, Canceled, Expired})
}

// Cancel marks a scheduled, queued or building record as canceled. Its run ends at
// the next piece.
func (r *Record) Cancel(ctx context.Context) (bool, error) {
	return r.move(ctx, Canceled, "", "state IN ?", underWay())
}

// Queue marks a scheduled record whose job has gone to the queue as queued.
func (r *Record) Queue(ctx context.Context) (bool, error) {
	return r.move(ctx, Queued, "", "state = ?", Scheduled)
}

// Expire marks a ready record as expired and removes its file.
func (r *Record) Expire(ctx context.Context) (bool, error) {
	return r.move(ctx, Expired, "", "state = ?", Ready)
}

// Lose marks a record whose job no longer exists as failed, unless the record has
// changed since it was read.
func (r *Record) Lose(ctx context.Context, why string) (bool, error) {
	return r.move(ctx, Failed, why, "version = ?", r.Version)
}

// PutBack marks a record whose job was returned to its queue as queued, unless the
// record has changed since it was read.
func (r *Record) PutBack(ctx context.Context) (bool, error) {
	return r.move(ctx, Queued, "", "version = ?", r.Version)
}

// move changes the state if a condition holds. It ends the run and removes the file:
// none of the new states has a file.
func (r *Record) move(ctx context.Context, to State, message, condition string, args ...any) (ok bool, err error) {
	return r.moveWith(ctx, func(*gorm.DB) error { return nil }, to, message, condition, args...)
}

// moveWith is like move. If the state changes, it calls also in the same transaction.
func (r *Record) moveWith(ctx context.Context, also func(*gorm.DB) error, to State, message, condition string, args ...any) (ok bool, err error) {
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
			"state": to, "message": shorten(message), "done": 0, "bytes": 0, "due_at": nil, "attempt": gorm.Expr("attempt + 1"), "version": version,
		})
		if ok = result.RowsAffected == 1; ok {
			err = removeFile(tx, r.ID)
		}
		now := Record{db: r.db}
		if err := errors.Join(result.Error, err, tx.Take(&now, r.ID).Error); err != nil {
			return err
		}
		*r = now
		if ok {
			return also(tx)
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("marking export %d as %s: %w", r.ID, to, err)
	}
	return ok, nil
}

// Remove deletes the record and its file.
func (r *Record) Remove(ctx context.Context) error {
	err := r.db.Alone(ctx, func(tx *gorm.DB) error {
		_, _ = lock(tx, r.ID) // it may have been deleted
		_, err := nextVersion(tx)
		return errors.Join(err, removeFile(tx, r.ID), tx.Delete(&Record{ID: r.ID}).Error)
	})
	if err != nil {
		return fmt.Errorf("deleting export %d: %w", r.ID, err)
	}
	return nil
}

// lock reads a record and locks it for a transaction that changes it. Every
// transaction calls lock before nextVersion; in different orders they could
// deadlock. SQLite needs no lock, because its transactions start as writers.
func lock(tx *gorm.DB, id int64) (*Record, error) {
	r := &Record{}
	return r, tx.Clauses(clause.Locking{Strength: "UPDATE"}).Take(r, id).Error
}

func shorten(message string) string {
	const most = 200
	if runes := []rune(message); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return message
}
