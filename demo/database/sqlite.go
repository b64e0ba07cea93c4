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

// errNoCgo reports that the command was built without cgo, which SQLite needs.
var errNoCgo = errors.New(`this goresque was built without a C compiler, which the demo's SQLite database needs.
Install gcc or clang and build it again with CGO_ENABLED=1, or name a PostgreSQL database: DATABASE_URL=postgres://…`)

// openSQLite opens the file at path, or creates it. The process has one connection,
// so that it never waits for itself.
func openSQLite(ctx context.Context, path string) (*gorm.DB, error) {
	if !haveCgo {
		return nil, errNoCgo
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("creating its directory: %w", err)
	}
	g, err := gorm.Open(sqlite.Open(dsn(path)), quietGorm())
	// SQLite does not wait if another process is changing a new file to WAL mode.
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

// dsn returns the data source name for a file. WAL mode lets readers and the writer
// run at the same time. The busy timeout lets writers wait for each other. Each
// transaction starts as a writer, because one that becomes a writer later can fail.
func dsn(path string) string {
	file := url.URL{Path: filepath.ToSlash(path)}
	return "file:" + file.EscapedPath() + "?_busy_timeout=10000&_journal_mode=WAL&_foreign_keys=on&_txlock=immediate"
}
