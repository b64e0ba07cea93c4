package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// counter has one row: the version of the latest change to any export.
type counter struct {
	ID int `gorm:"primaryKey;autoIncrement:false"`
	N  int64
}

// nextVersion counts a change. The row stays locked until the transaction ends,
// so that versions are seen in their order.
func nextVersion(tx *gorm.DB) (n int64, err error) {
	err = tx.Raw("INSERT INTO counters (id, n) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = counters.n + 1 RETURNING n").Scan(&n).Error
	return n, err
}

// version is that of the latest change.
func (d *database) version(ctx context.Context) (n int64, err error) {
	if err := d.gorm.WithContext(ctx).Model(&counter{}).Select("n").Limit(1).Scan(&n).Error; err != nil {
		return 0, fmt.Errorf("asking for changes: %w", err)
	}
	return n, nil
}

// createOnce stores a new export, which is committed when createOnce returns. Where the
// token, unless it is empty, has been used, the export is the one from that time,
// and made is false.
func (d *database) createOnce(ctx context.Context, rows int, seconds float64, token string) (e *Export, made bool, err error) {
	e = &Export{Rows: rows, Seconds: seconds, Total: rows, State: Queued, db: d.gorm}
	if token != "" {
		e.Token = &token
	}
	err = e.transaction(ctx, func(tx *gorm.DB) error {
		e.ID = 0 // it may run again
		if e.Version, err = nextVersion(tx); err != nil {
			return err
		}
		result := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "token"}}, DoNothing: true}).Create(e)
		if made = result.RowsAffected == 1; made || result.Error != nil {
			return result.Error
		}
		*e = Export{db: d.gorm}
		return tx.Take(e, "token = ?", token).Error
	})
	if err != nil {
		return nil, false, fmt.Errorf("storing an export: %w", err)
	}
	return e, made, nil
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
	return d.list(ctx, "listing exports", func(tx *gorm.DB) *gorm.DB { return tx.Order("id DESC").Limit(n) })
}

// withID is one export, or none.
func (d *database) withID(ctx context.Context, id int64) ([]*Export, error) {
	return d.list(ctx, "finding an export", func(tx *gorm.DB) *gorm.DB { return tx.Where("id = ?", id) })
}

// underWay are the exports that somebody waits for.
func (d *database) underWay(ctx context.Context) ([]*Export, error) {
	return d.list(ctx, "listing exports under way", func(tx *gorm.DB) *gorm.DB {
		return tx.Where("state IN ?", []State{Queued, Building})
	})
}

// outdated are the exports whose time is over.
func (d *database) outdated(ctx context.Context) ([]*Export, error) {
	return d.list(ctx, "listing exports that expire", func(tx *gorm.DB) *gorm.DB {
		return tx.Where("state = ? AND (expires_at IS NULL OR expires_at < ?)", Ready, time.Now().UTC())
	})
}

func (d *database) list(ctx context.Context, what string, which func(*gorm.DB) *gorm.DB) (exports []*Export, err error) {
	if err := which(d.gorm.WithContext(ctx)).Find(&exports).Error; err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	for _, e := range exports {
		e.db = d.gorm
	}
	return exports, nil
}

// line has the place in the queue of each export that waits there, counted from 1.
// Versions tell the order: that of a queued export is from when it was queued.
func (d *database) line(ctx context.Context) (map[int64]int, error) {
	var ids []int64
	err := d.gorm.WithContext(ctx).Model(&Export{}).Where("state = ?", Queued).Order("version").Limit(1000).Pluck("id", &ids).Error
	if err != nil {
		return nil, fmt.Errorf("counting who waits: %w", err)
	}
	places := make(map[int64]int, len(ids))
	for i, id := range ids {
		places[id] = i + 1
	}
	return places, nil
}

// interrupted marks what was under way as failed: for when its jobs are known to
// be gone.
func (d *database) interrupted(ctx context.Context, why string) error {
	exports, err := d.underWay(ctx)
	for _, e := range exports {
		_, failed := e.lose(ctx, why)
		err = errors.Join(err, failed)
	}
	return err
}
