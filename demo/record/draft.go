package record

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"time"

	"gorm.io/gorm"
)

// Draft is the file of a run. A piece of it is in memory and the rest is in the
// database.
type Draft struct {
	record   *Record
	piece    bytes.Buffer
	seq      int // of the piece
	sum      hash.Hash
	started  time.Time
	reported time.Time

	reportEvery, beatEvery time.Duration
}

func newDraft(r *Record) *Draft {
	return &Draft{
		record: r, sum: sha256.New(), started: time.Now(),
		reportEvery: 250 * time.Millisecond, // at most: each report is a write that wakes all who watch
		beatEvery:   time.Second,            // at least: a silent run is taken for lost
	}
}

// Write appends to the piece in memory. It never fails.
func (d *Draft) Write(p []byte) (int, error) {
	return d.piece.Write(p) //nolint:wrapcheck // it is nil
}

// Rows stores what was written as n more rows, when they are due. It fails, and the
// run must end, if ctx ends, or if the record was cancelled, deleted or overtaken.
func (d *Draft) Rows(ctx context.Context, n int) error {
	if err := d.pace(ctx, d.record.Done+n); err != nil {
		return err
	}
	if err := d.store(ctx, n); err != nil {
		return fmt.Errorf("storing the file: %w", err)
	}
	return nil
}

// pace waits until so many rows are due, and reports meanwhile that the run is
// alive.
func (d *Draft) pace(ctx context.Context, rows int) error {
	r := d.record
	share := float64(rows) / float64(max(r.Total, 1))
	due := d.started.Add(time.Duration(share * r.Seconds * float64(time.Second)))
	for {
		timer := time.NewTimer(min(time.Until(due), d.beatEvery))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("stopped after %d of %d rows: %w", r.Done, r.Total, context.Cause(ctx))
		case !time.Now().Before(due):
			return nil
		}
		if err := r.report(ctx); err != nil {
			return fmt.Errorf("reporting progress: %w", err)
		}
		d.reported = time.Now()
	}
}

// store moves the piece to the database, unless the run was overtaken.
func (d *Draft) store(ctx context.Context, rows int) error {
	r, data := d.record, d.piece.Bytes()
	d.sum.Write(data)
	start, done := r.Bytes, r.Done
	report := time.Since(d.reported) >= d.reportEvery
	err := r.db.Alone(ctx, func(tx *gorm.DB) error { // it may run again
		if err := r.hold(tx); err != nil {
			return err
		}
		if err := tx.Create(&chunk{ExportID: r.ID, Seq: d.seq, Start: start, Data: data}).Error; err != nil {
			return err
		}
		r.Done, r.Bytes = done+rows, start+int64(len(data))
		if report {
			return r.save(tx)
		}
		return nil
	})
	if report {
		d.reported = time.Now()
	}
	d.piece.Reset()
	d.seq++
	return err
}
