package demo

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gorm.io/gorm"
)

// piece is a part of an export's file, which begins at the byte Start. The file
// lives in the database, so that the worker that writes it and the web app that
// serves it need not share a disk.
type piece struct {
	ExportID int64   `gorm:"primaryKey;autoIncrement:false"`
	Start    int64   `gorm:"primaryKey;autoIncrement:false"`
	Data     []byte  `gorm:"not null"`
	Export   *Export `gorm:"constraint:OnDelete:CASCADE"`
}

func removeFile(tx *gorm.DB, id int64) error {
	return tx.Delete(&piece{}, "export_id = ?", id).Error //nolint:wrapcheck // its callers wrap it
}

// file reads an export's file from the database, of which it holds a piece at a
// time. It is for one goroutine.
type file struct {
	ctx    context.Context //nolint:containedctx // io.Reader has no other place for it
	export *Export
	at     int64
	piece  piece
	loaded func() // told after each piece
}

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

func (f *file) load() error {
	var next piece
	err := f.export.db.WithContext(f.ctx).Where("export_id = ? AND start <= ?", f.export.ID, f.at).
		Order("start DESC").Limit(1).Take(&next).Error
	if err == nil && f.at >= next.Start+int64(len(next.Data)) {
		err = io.ErrUnexpectedEOF // it is being built anew
	}
	if err != nil {
		return fmt.Errorf("reading the file of export %d at byte %d: %w", f.export.ID, f.at, err)
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
