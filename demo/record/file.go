package record

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gorm.io/gorm"
)

// chunk is a part of a file; its first byte is the file's byte Start. Files are
// stored in the database, so that the worker and the web app need not share a disk.
type chunk struct {
	ExportID int64  `gorm:"primaryKey;autoIncrement:false;index:chunks_start,priority:1"`
	Seq      int    `gorm:"primaryKey;autoIncrement:false"`
	Start    int64  `gorm:"index:chunks_start,priority:2"`
	Data     []byte `gorm:"not null"`
}

func removeFile(tx *gorm.DB, id int64) error {
	return tx.Delete(&chunk{}, "export_id = ?", id).Error
}

// file reads a record's file from the database, one piece at a time. It is not safe
// for concurrent use.
type file struct {
	ctx    context.Context //nolint:containedctx // Read has no parameter for it
	record *Record
	at     int64
	piece  chunk
	loaded func() // called after each piece
}

// ErrFileGone is the error of a download if the record is built again or deleted
// before the download ends.
var ErrFileGone = errors.New("the file was deleted or built again")

var _ io.ReadSeeker = (*file)(nil)

// Open returns the file of a record that is ready. The file calls loaded after it has
// read a piece from the database.
func (r *Record) Open(ctx context.Context, loaded func()) io.ReadSeeker {
	return &file{ctx: ctx, record: r, loaded: loaded}
}

func (f *file) Read(p []byte) (int, error) {
	if f.at >= f.record.Bytes {
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

// load reads the piece that contains f.at. It must be of the run that had written the
// file when the record was read: pieces of two runs do not make a valid file.
func (f *file) load() error {
	var next chunk
	r := f.record
	err := r.db.WithContext(f.ctx).
		Where("export_id = ? AND start <= ? AND (SELECT attempt FROM exports WHERE id = ?) = ?", r.ID, f.at, r.ID, r.Attempt).
		Order("start DESC").Limit(1).Take(&next).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && f.at >= next.Start+int64(len(next.Data)) {
		err = ErrFileGone
	}
	if err != nil {
		return fmt.Errorf("reading the file of export %d at byte %d: %w", r.ID, f.at, err)
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
		offset += f.record.Bytes
	}
	if offset < 0 {
		return f.at, errors.New("seek before the start of the file")
	}
	f.at = offset
	return f.at, nil
}
