// Package database opens what DATABASE_URL names, SQLite or PostgreSQL, so that
// several processes can change it at once, and refuses another application's.
package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// DB is an open database. Several processes may use the same one at once.
type DB struct {
	*gorm.DB

	At Location
}

// Open opens the database at a location and makes the models' tables if they are
// missing. It refuses a database that has other tables.
func Open(ctx context.Context, at Location, models ...any) (*DB, error) {
	return open(ctx, at, func(tx *gorm.DB) error { return migrate(tx, models) })
}

// Reset is Open, but removes all rows.
func Reset(ctx context.Context, at Location, models ...any) (*DB, error) {
	return open(ctx, at, func(tx *gorm.DB) error {
		if err := migrate(tx, models); err != nil {
			return err
		}
		if err := tx.Migrator().DropTable(models...); err != nil {
			return err //nolint:wrapcheck // open wraps it
		}
		return tx.AutoMigrate(models...)
	})
}

func open(ctx context.Context, at Location, prepare func(*gorm.DB) error) (*DB, error) {
	var (
		g   *gorm.DB
		err error
	)
	if at.postgres != nil {
		g, err = openPostgres(ctx, at.postgres)
	} else {
		g, err = openSQLite(ctx, at.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the database %s: %w", at.Shown, err)
	}
	d := &DB{DB: g, At: at}
	// One at a time, because two processes may meet a new database at once.
	err = g.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := OneAtATime(tx); err != nil {
			return err
		}
		return prepare(tx)
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("preparing the database %s: %w", at.Shown, err), d.Close())
	}
	return d, nil
}

// quietGorm turns gorm's own log off: the demo logs what matters itself.
func quietGorm() *gorm.Config { return &gorm.Config{Logger: logger.Discard} }

//nolint:wrapcheck // open wraps it
func migrate(tx *gorm.DB, models []any) error {
	if tx.Name() == "postgres" {
		if err := ownSchema(tx); err != nil {
			return err
		}
	}
	if err := ours(tx, models); err != nil {
		return err
	}
	return tx.AutoMigrate(models...)
}

// ownSchema makes the demo's schema. It looks first, because CREATE SCHEMA IF NOT
// EXISTS needs the right to create one even if it exists.
func ownSchema(tx *gorm.DB) error {
	var there int64
	err := tx.Raw("SELECT count(*) FROM pg_namespace WHERE nspname = ?", postgresSchema).Scan(&there).Error
	if err != nil || there > 0 {
		return err
	}
	return tx.Exec("CREATE SCHEMA " + postgresSchema).Error
}

// ours refuses a database that another application has made: the demo would
// change its tables, and --reset would drop them.
func ours(tx *gorm.DB, models []any) error {
	tables, err := tx.Migrator().GetTables()
	if err != nil {
		return fmt.Errorf("listing its tables: %w", err)
	}
	tables = slices.DeleteFunc(tables, func(name string) bool { return strings.HasPrefix(name, "sqlite_") })
	own := map[string]bool{}
	for _, model := range models {
		statement := gorm.Statement{DB: tx}
		if err := statement.Parse(model); err != nil {
			return fmt.Errorf("naming its tables: %w", err)
		}
		own[statement.Schema.Table] = true
	}
	strange := slices.DeleteFunc(slices.Clone(tables), func(name string) bool { return own[name] })
	whole := slices.Contains(tables, "customers") && slices.Contains(tables, "exports") // they are made together
	switch {
	case len(strange) > 0:
		slices.Sort(strange)
		return fmt.Errorf("it is not the demo's: it has a table %s; name another one with --data or DATABASE_URL", strange[0])
	case len(tables) > 0 && !whole:
		return fmt.Errorf("it is not the demo's: it has a table %s and not the others; name another one with --data or DATABASE_URL", tables[0])
	}
	return nil
}

// Close closes all connections.
func (d *DB) Close() error {
	conns, err := d.DB.DB()
	if err == nil {
		err = conns.Close()
	}
	if err != nil {
		return fmt.Errorf("closing the database %s: %w", d.At.Shown, err)
	}
	return nil
}
