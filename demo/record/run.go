package record

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// The reasons to end a run from outside.
var (
	errOvertaken = errors.New("another worker has started it again")
	errCanceled  = errors.New("it was canceled")
)

// Perform performs one run: fill writes the file, which has total rows. When fill has
// returned nil, the file can be downloaded. A second run starts from the beginning.
// Perform returns nil if the record was canceled or deleted. It stores any other
// error in the record, for the page, and returns it.
func (r *Record) Perform(ctx context.Context, total int, fill func(ctx context.Context, draft *Draft) error) error {
	err := r.begin(ctx, total)
	if err == nil {
		err = r.build(ctx, fill)
	}
	if err == nil {
		err = r.finish(ctx)
	}
	if errors.Is(err, errCanceled) {
		return nil
	}
	if err != nil {
		return r.Fail(ctx, err.Error(), fmt.Errorf("export %d: %w", r.ID, err))
	}
	return nil
}

// begin makes this run the latest one and removes the file of an earlier run.
func (r *Record) begin(ctx context.Context, total int) error {
	return r.db.Alone(ctx, func(tx *gorm.DB) error {
		// Since the record was read, another worker may have started it, or its
		// visitor may have canceled it.
		now, err := lock(tx, r.ID)
		if err != nil {
			return err
		}
		now.db = r.db
		*r = *now
		if r.State == Canceled {
			return errCanceled
		}
		r.State, r.Message, r.SHA256 = Building, "", ""
		r.Done, r.Total, r.Bytes = 0, total, 0
		started := time.Now()
		r.StartedAt, r.ExpiresAt = &started, nil
		r.Attempt++
		if r.Version, err = nextVersion(tx); err != nil {
			return err
		}
		return errors.Join(removeFile(tx, r.ID), tx.Save(r).Error)
	})
}

func (r *Record) build(ctx context.Context, fill func(ctx context.Context, draft *Draft) error) error {
	d := newDraft(r)
	if err := fill(ctx, d); err != nil {
		return err
	}
	if d.piece.Len() > 0 {
		if err := d.Rows(ctx, 0); err != nil {
			return err
		}
	}
	r.SHA256 = hex.EncodeToString(d.sum.Sum(nil))
	return nil
}

// finish marks the record as ready.
func (r *Record) finish(ctx context.Context) error {
	expires := time.Now().UTC().Add(KeptFor) // UTC, because SQLite compares times as text
	r.State, r.ExpiresAt = Ready, &expires
	return r.report(ctx)
}

// Fail marks the record as failed with a message for the page. It returns cause, for
// the log and for Resque, joined with the error if the record cannot be changed.
func (r *Record) Fail(ctx context.Context, message string, cause error) error {
	if errors.Is(cause, errOvertaken) {
		return cause
	}
	r.State, r.Message = Failed, shorten(message)
	// Store it even if ctx has ended. Otherwise the page would wait forever.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := r.report(ctx)
	if errors.Is(err, errOvertaken) || errors.Is(err, errCanceled) {
		return cause
	}
	return errors.Join(cause, err)
}

// report saves the run's changes in a transaction.
func (r *Record) report(ctx context.Context) error { return r.db.Alone(ctx, r.save) }

// save stores the run's changes if this is the latest run.
func (r *Record) save(tx *gorm.DB) error {
	if err := r.hold(tx); err != nil {
		return err
	}
	var err error
	if r.Version, err = nextVersion(tx); err != nil {
		return err
	}
	return tx.Model(r).Select("State", "Message", "Done", "Bytes", "SHA256", "ExpiresAt", "Version").Updates(r).Error
}

// hold locks the record for a transaction of a run. It returns an error if the record
// was canceled or deleted, or the run overtaken.
func (r *Record) hold(tx *gorm.DB) error {
	now, err := lock(tx, r.ID)
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound): // deleted
		return errCanceled
	case err != nil:
		return err
	case now.State == Canceled:
		return errCanceled
	case now.Attempt != r.Attempt:
		return errOvertaken
	}
	return nil
}
