package record

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/goresque/goresque/demo/database"
)

// counter has one row: the version of the latest change to any record.
type counter struct {
	ID int `gorm:"primaryKey;autoIncrement:false"`
	N  int64
}

// nextVersion returns the version of a new change. The counter stays locked until the
// transaction ends, so that readers see versions in order.
func nextVersion(tx *gorm.DB) (n int64, err error) {
	err = tx.Raw("INSERT INTO counters (id, n) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = counters.n + 1 RETURNING n").Scan(&n).Error
	return n, err
}

// Version returns the version of the latest change to any record.
func Version(ctx context.Context, db *database.DB) (n int64, err error) {
	if err := db.WithContext(ctx).Model(&counter{}).Select("n").Limit(1).Scan(&n).Error; err != nil {
		return 0, fmt.Errorf("reading the latest version: %w", err)
	}
	return n, nil
}

// UnderWay returns the records that are scheduled, queued or being built.
func UnderWay(ctx context.Context, db *database.DB) ([]*Record, error) {
	return list(ctx, db, "listing exports under way", func(tx *gorm.DB) *gorm.DB {
		return tx.Where("state IN ?", underWay())
	})
}

// Outdated returns the records whose file has expired.
func Outdated(ctx context.Context, db *database.DB) ([]*Record, error) {
	return list(ctx, db, "listing expired exports", func(tx *gorm.DB) *gorm.DB {
		return tx.Where("state = ? AND (expires_at IS NULL OR expires_at < ?)", Ready, time.Now().UTC())
	})
}

// LastReady returns the latest record that was queued at once and became ready in its
// first run, or nothing. A record does not store when a later run was requested.
func LastReady(ctx context.Context, db *database.DB) ([]*Record, error) {
	return list(ctx, db, "finding the last export", func(tx *gorm.DB) *gorm.DB {
		return tx.Where("state = ? AND attempt = 1 AND due_at IS NULL", Ready).Order("id DESC").Limit(1)
	})
}

func list(ctx context.Context, db *database.DB, what string, which func(*gorm.DB) *gorm.DB) (records []*Record, err error) {
	if err := which(db.WithContext(ctx)).Find(&records).Error; err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	for _, r := range records {
		r.db = db
	}
	return records, nil
}

// Line returns the place in the queue of each queued record, counted from 1. It
// orders them by version: a record gets its version when it is queued.
func Line(ctx context.Context, db *database.DB) (map[int64]int, error) {
	var ids []int64
	err := db.WithContext(ctx).Model(&Record{}).Where("state = ?", Queued).Order("version").Limit(1000).Pluck("id", &ids).Error
	if err != nil {
		return nil, fmt.Errorf("listing the exports in line: %w", err)
	}
	places := make(map[int64]int, len(ids))
	for i, id := range ids {
		places[id] = i + 1
	}
	return places, nil
}

// Interrupt marks all queued and building records as failed. It is for a database
// whose jobs no longer exist. Scheduled records stay: their jobs can be delayed again. Those
// in except also stay: their jobs exist.
func Interrupt(ctx context.Context, db *database.DB, why string, except map[int64]bool) error {
	records, err := UnderWay(ctx, db)
	for _, r := range records {
		if r.State == Scheduled || except[r.ID] {
			continue
		}
		_, failed := r.Lose(ctx, why)
		err = errors.Join(err, failed)
	}
	return err
}
