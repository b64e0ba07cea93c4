package demo

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// create stores a new export, which is committed when create returns.
func (d *database) create(ctx context.Context, rows int, seconds float64) (*Export, error) {
	e := &Export{Rows: rows, Seconds: seconds, Total: rows, State: Queued, db: d.gorm}
	if err := d.gorm.WithContext(ctx).Create(e).Error; err != nil {
		return nil, fmt.Errorf("storing an export: %w", err)
	}
	return e, nil
}

// notFoundError reports an export that is not there.
type notFoundError struct{ id int64 }

func (e *notFoundError) Error() string { return fmt.Sprintf("couldn't find Export with id=%d", e.id) }

// ExceptionName is what Rails raises.
func (e *notFoundError) ExceptionName() string { return "ActiveRecord::RecordNotFound" }

// find fetches an export. The error is a *notFoundError when there is none.
func (d *database) find(ctx context.Context, id int64) (*Export, error) {
	e := &Export{db: d.gorm}
	err := d.gorm.WithContext(ctx).Take(e, "id = ?", id).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil, &notFoundError{id}
	case err != nil:
		return nil, fmt.Errorf("finding export %d: %w", id, err)
	}
	return e, nil
}

// latest are the n newest exports.
func (d *database) latest(ctx context.Context, n int) ([]*Export, error) {
	var exports []*Export
	if err := d.gorm.WithContext(ctx).Order("id DESC").Limit(n).Find(&exports).Error; err != nil {
		return nil, fmt.Errorf("listing exports: %w", err)
	}
	return exports, nil
}

// interrupted marks what was under way as failed: for when its jobs are known to
// be gone.
func (d *database) interrupted(ctx context.Context, why string) error {
	err := d.gorm.WithContext(ctx).Model(&Export{}).Where("state IN ?", []State{Queued, Building}).
		Updates(map[string]any{"state": Failed, "message": why, "attempt": gorm.Expr("attempt + 1")}).Error
	if err != nil {
		return fmt.Errorf("tidying up exports: %w", err)
	}
	return nil
}
