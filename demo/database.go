package demo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// database holds the customers and the exports. Several processes may use the
// same file at once; each has one connection, so that it never waits for itself.
type database struct {
	gorm *gorm.DB
	path string
}

var _ finder = (*database)(nil)

// openDatabase opens the file at path and makes its tables where they are
// missing.
func openDatabase(ctx context.Context, path string) (*database, error) {
	if !haveCgo {
		return nil, errNoCgo
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making a place for the database: %w", err)
	}
	g, err := gorm.Open(sqlite.Open(dsn(path)), &gorm.Config{Logger: logger.Discard})
	// Turning a new file to WAL does not wait for another process that does so.
	for try := 0; err != nil && strings.Contains(err.Error(), "locked") && try < 50 && ctx.Err() == nil; try++ {
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
		g, err = gorm.Open(sqlite.Open(dsn(path)), &gorm.Config{Logger: logger.Discard})
	}
	if err != nil {
		return nil, fmt.Errorf("opening the database %s: %w", path, err)
	}
	d := &database{gorm: g, path: path}
	if err := d.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("preparing the database %s: %w", path, err), d.close())
	}
	return d, nil
}

// dsn has readers and the writer of several processes not wait for one another
// (WAL), writers wait their turn (busy timeout), and each transaction begin as a
// writer: one that became a writer half way could only fail.
func dsn(path string) string {
	file := url.URL{Path: filepath.ToSlash(path)}
	return "file:" + file.EscapedPath() + "?_busy_timeout=10000&_journal_mode=WAL&_foreign_keys=on&_txlock=immediate"
}

func (d *database) migrate(ctx context.Context) error {
	conns, err := d.gorm.DB()
	if err != nil {
		return err //nolint:wrapcheck // openDatabase wraps it
	}
	conns.SetMaxOpenConns(1)
	// In a transaction, because two processes may meet a new file at once.
	//nolint:wrapcheck // openDatabase wraps it
	return d.gorm.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return tx.AutoMigrate(&customer{}, &Export{}, &chunk{})
	})
}

func (d *database) close() error {
	conns, err := d.gorm.DB()
	if err == nil {
		err = conns.Close()
	}
	if err != nil {
		return fmt.Errorf("closing the database %s: %w", d.path, err)
	}
	return nil
}

// seed makes sure that there are at least n customers.
func (d *database) seed(ctx context.Context, n int) error {
	err := d.gorm.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var have int64
		if err := tx.Model(&customer{}).Count(&have).Error; err != nil || have >= int64(n) {
			return err
		}
		customers := make([]customer, 0, int64(n)-have)
		for id := have + 1; id <= int64(n); id++ {
			customers = append(customers, newCustomer(id))
		}
		return tx.CreateInBatches(customers, 500).Error
	})
	if err != nil {
		return fmt.Errorf("making up customers: %w", err)
	}
	return nil
}

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
