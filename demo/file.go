package demo

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// chunk is a piece of an export's file. The file lives in the database, so that
// the worker that writes it and the web app that serves it need not share a
// disk.
type chunk struct {
	ExportID int64   `gorm:"primaryKey;autoIncrement:false"`
	Seq      int     `gorm:"primaryKey;autoIncrement:false"`
	Data     []byte  `gorm:"not null"`
	Export   *Export `gorm:"constraint:OnDelete:CASCADE"`
}

// build writes the customers as CSV, a piece at a time, at a pace that makes it
// take e.Seconds.
func (e *Export) build(ctx context.Context) error {
	var (
		piece   bytes.Buffer
		out     = csv.NewWriter(&piece)
		started = time.Now()
		last    int64 // the id of the last customer written
	)
	if err := out.Write(customerHeader()); err != nil {
		return fmt.Errorf("writing the header: %w", err)
	}
	for seq := 0; seq == 0 || e.Done < e.Total; seq++ {
		customers, err := e.customersAfter(ctx, last)
		if err != nil {
			return err
		}
		for _, c := range customers {
			last = c.ID
			if err := out.Write(c.record()); err != nil {
				return fmt.Errorf("writing customer %d: %w", c.ID, err)
			}
		}
		out.Flush()
		e.Done += len(customers)
		if err := e.pace(ctx, started); err != nil {
			return err
		}
		if err := e.append(ctx, seq, piece.Bytes()); err != nil {
			return err
		}
		piece.Reset()
	}
	return nil
}

// customersAfter reads the next piece's customers: some fifty pieces make a
// file, so that the progress can be watched.
func (e *Export) customersAfter(ctx context.Context, id int64) ([]customer, error) {
	limit := min(max(e.Total/50, 1), 1000, e.Total-e.Done)
	var customers []customer
	err := e.db.WithContext(ctx).Where("id > ?", id).Order("id").Limit(limit).Find(&customers).Error
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading customers: %w", err)
	case len(customers) < limit:
		return nil, errors.New("customers were removed while they were read")
	}
	return customers, nil
}

// pace waits until the rows done so far are due.
func (e *Export) pace(ctx context.Context, started time.Time) error {
	share := float64(e.Done) / float64(max(e.Total, 1))
	due := started.Add(time.Duration(share * e.Seconds * float64(time.Second)))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	if ctx.Err() != nil {
		return fmt.Errorf("stopped after %d of %d rows: %w", e.Done, e.Total, context.Cause(ctx))
	}
	return nil
}

// append adds a piece to the file, and counts it in the same transaction.
func (e *Export) append(ctx context.Context, seq int, data []byte) error {
	e.Bytes += len(data)
	return e.transaction(ctx, func(tx *gorm.DB) error {
		if err := e.save(tx); err != nil {
			return err
		}
		return tx.Create(&chunk{ExportID: e.ID, Seq: seq, Data: data}).Error
	})
}

// errNotReady says that an export has no file to offer.
var errNotReady = errors.New("the export is not ready")

// file is the whole CSV of an export that is ready, never a part of one.
func (e *Export) file(ctx context.Context) ([]byte, error) {
	var pieces [][]byte
	err := e.transaction(ctx, func(tx *gorm.DB) error {
		if err := tx.Take(e, e.ID).Error; err != nil {
			return err
		}
		if e.State != Ready {
			return errNotReady
		}
		return tx.Model(&chunk{}).Where("export_id = ?", e.ID).Order("seq").Pluck("data", &pieces).Error
	})
	if err != nil {
		return nil, fmt.Errorf("reading the file of export %d: %w", e.ID, err)
	}
	return bytes.Join(pieces, nil), nil
}
