package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"

	"gorm.io/gorm"
)

const (
	reportEvery = 250 * time.Millisecond // at most: each report is a write for all who watch
	beatEvery   = time.Second            // at least: a silent run is taken for lost
)

// draft is a file on its way to the database.
type draft struct {
	bytes.Buffer // what is not there yet
	csv          *csv.Writer
	seq          int // of the next piece
	sum          hash.Hash
	started      time.Time
	reported     time.Time
}

// build writes the customers as CSV, a piece at a time, at a pace that makes it
// take e.Seconds. It holds no more than a piece in memory.
func (e *Export) build(ctx context.Context) error {
	d := &draft{sum: sha256.New(), started: time.Now()}
	d.csv = csv.NewWriter(d)
	if err := d.csv.Write(customerHeader()); err != nil {
		return fmt.Errorf("writing the header: %w", err)
	}
	for last := int64(0); last == 0 || e.Done < e.Total; {
		customers, err := e.customersAfter(ctx, last)
		if err != nil {
			return err
		}
		for _, c := range customers {
			if err := d.csv.Write(c.record()); err != nil {
				return fmt.Errorf("writing customer %d: %w", c.ID, err)
			}
			last = c.ID
		}
		d.csv.Flush()
		if err := e.pace(ctx, d, e.Done+len(customers)); err != nil {
			return err
		}
		if err := e.append(ctx, d, len(customers)); err != nil {
			return fmt.Errorf("storing the file: %w", err)
		}
		if last == 0 {
			break // there are none
		}
	}
	e.SHA256 = hex.EncodeToString(d.sum.Sum(nil))
	return nil
}

// customersAfter reads the next piece's customers: some fifty pieces make a
// small file, so that the progress can be watched.
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

// pace waits until so many rows are due, and says meanwhile that the run is alive.
func (e *Export) pace(ctx context.Context, d *draft, rows int) error {
	share := float64(rows) / float64(max(e.Total, 1))
	due := d.started.Add(time.Duration(share * e.Seconds * float64(time.Second)))
	for {
		timer := time.NewTimer(min(time.Until(due), beatEvery))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("stopped after %d of %d rows: %w", e.Done, e.Total, context.Cause(ctx))
		case !time.Now().Before(due):
			return nil
		}
		if err := e.report(ctx); err != nil {
			return fmt.Errorf("reporting progress: %w", err)
		}
		d.reported = time.Now()
	}
}

// append adds what is drafted to the file: not for a run that has been taken over.
func (e *Export) append(ctx context.Context, d *draft, rows int) error {
	data := d.Bytes()
	d.sum.Write(data)
	start, done := e.Bytes, e.Done
	report := time.Since(d.reported) >= reportEvery
	err := e.transaction(ctx, func(tx *gorm.DB) error { // it may run again
		if err := e.hold(tx); err != nil {
			return err
		}
		if err := tx.Create(&chunk{ExportID: e.ID, Seq: d.seq, Start: start, Data: data}).Error; err != nil {
			return err
		}
		e.Done, e.Bytes = done+rows, start+int64(len(data))
		if report {
			return e.save(tx)
		}
		return nil
	})
	if report {
		d.reported = time.Now()
	}
	d.Reset()
	d.seq++
	return err
}
