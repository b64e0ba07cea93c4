package demo

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gorm.io/gorm"
)

// chunk is a part of an export's file, which begins at the byte Start. The file
// lives in the database, so that the worker that writes it and the web app that
// serves it need not share a disk.
type chunk struct {
	ExportID int64   `gorm:"primaryKey;autoIncrement:false;index:chunks_start,priority:1"`
	Seq      int     `gorm:"primaryKey;autoIncrement:false"`
	Start    int64   `gorm:"index:chunks_start,priority:2"`
	Data     []byte  `gorm:"not null"`
	Export   *Export `gorm:"constraint:OnDelete:CASCADE"`
}

func removeFile(tx *gorm.DB, id int64) error {
	return tx.Delete(&chunk{}, "export_id = ?", id).Error
}

// file reads an export's file from the database, of which it holds a piece at a
// time. It is for one goroutine.
type file struct {
	ctx    context.Context //nolint:containedctx // io.Reader has no other place for it
	export *Export
	at     int64
	piece  chunk
	loaded func() // told after each piece
}

// errFileGone ends a download whose export is built anew, or deleted, meanwhile.
var errFileGone = errors.New("it is no longer there")

var _ io.ReadSeeker = (*file)(nil)

func (f *file) Read(p []byte) (int, error) {
	if f.at >= f.export.Bytes {
		return 0, io.EOF
	}
	if f.at < f.piece.Start || f.at >= f.piece.Start+int64(len(f.piece.Data)) {
		if err := f.load(); err != nil {
			return 0, err
		}
	}
	n := copy(p, f.piece.Data[f.at-f.piece.Start:])
	f.at += int64(n)
	return n, nil
}

// load fetches the piece that f.at is in, of the run that the export was found
// with: the parts of two runs would make a file that never was.
func (f *file) load() error {
	var next chunk
	e := f.export
	err := e.db.WithContext(f.ctx).
		Where("export_id = ? AND start <= ? AND (SELECT attempt FROM exports WHERE id = ?) = ?", e.ID, f.at, e.ID, e.Attempt).
		Order("start DESC").Limit(1).Take(&next).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && f.at >= next.Start+int64(len(next.Data)) {
		err = errFileGone
	}
	if err != nil {
		return fmt.Errorf("reading the file of export %d at byte %d: %w", e.ID, f.at, err)
	}
	f.piece = next
	f.loaded()
	return nil
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += f.export.Bytes
	}
	if offset < 0 {
		return f.at, errors.New("seeking before the beginning of a file")
	}
	f.at = offset
	return f.at, nil
}
