package database

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
)

// errNoCgo reports a command that was built without C, which SQLite needs.
var errNoCgo = errors.New(`this goresque was built without a C compiler, and SQLite, where the demo keeps its data, needs one.
Install gcc or clang and build it again with CGO_ENABLED=1, or name a PostgreSQL database: DATABASE_URL=postgres://…`)

// openSQLite opens the file at path, or makes it. The process has one connection,
// so that it never waits for itself.
func openSQLite(ctx context.Context, path string) (*gorm.DB, error) {
	if !haveCgo {
		return nil, errNoCgo
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making a place for it: %w", err)
	}
	g, err := gorm.Open(sqlite.Open(dsn(path)), quietGorm())
	// Turning a new file to WAL does not wait for another process that does so.
	for try := 0; err != nil && strings.Contains(err.Error(), "locked") && try < 500 && ctx.Err() == nil; try++ {
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
		g, err = gorm.Open(sqlite.Open(dsn(path)), quietGorm())
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // open wraps it
	}
	conns, err := g.DB()
	if err != nil {
		return nil, err //nolint:wrapcheck // open wraps it
	}
	conns.SetMaxOpenConns(1)
	return g, nil
}

// dsn returns the driver's name for a file. With WAL, readers and the writer do
// not wait for each other; with a busy timeout, writers wait for each other; and
// each transaction begins as a writer, because one that becomes a writer later can
// fail.
func dsn(path string) string {
	file := url.URL{Path: filepath.ToSlash(path)}
	return "file:" + file.EscapedPath() + "?_busy_timeout=10000&_journal_mode=WAL&_foreign_keys=on&_txlock=immediate"
}
