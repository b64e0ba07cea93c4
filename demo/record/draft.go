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

// Draft is the file that a run writes. The latest piece is in memory, the rest in the
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
		reportEvery: 250 * time.Millisecond, // not more often: each report wakes every open page
		beatEvery:   time.Second,            // not less often: a silent run counts as lost
	}
}

// Write appends to the piece in memory. It never fails.
func (d *Draft) Write(p []byte) (int, error) {
	return d.piece.Write(p) //nolint:wrapcheck // the error is nil
}

// Rows stores what was written since the last call as n more rows. It first waits
// until the rows are due. It returns an error if ctx ends, or if the record was
// canceled, deleted or overtaken. The run must then end.
func (d *Draft) Rows(ctx context.Context, n int) error {
	if err := d.pace(ctx, d.record.Done+n); err != nil {
		return err
	}
	if err := d.store(ctx, n); err != nil {
		return fmt.Errorf("storing the file: %w", err)
	}
	return nil
}

// pace waits until the given number of rows is due. While it waits it reports that
// the run is alive.
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

// store moves the piece to the database if the run was not overtaken.
func (d *Draft) store(ctx context.Context, rows int) error {
	r, data := d.record, d.piece.Bytes()
	d.sum.Write(data)
	start, done := r.Bytes, r.Done
	report := time.Since(d.reported) >= d.reportEvery
	err := r.db.Alone(ctx, func(tx *gorm.DB) error { // Alone may call this function again
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
