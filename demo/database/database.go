// Package database opens the SQLite or PostgreSQL database that DATABASE_URL names.
// Several processes can change it at the same time. It refuses a database of another
// application.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/goresque/goresque/resque/outbox"
)

// DB is an open database. Several processes may use the same one at the same time.
type DB struct {
	*gorm.DB

	At Location
}

// outboxTable is the table of package outbox.
const outboxTable = "goresque_outbox"

// Open opens the database at a location and creates the models' tables and that of package
// outbox if they do not exist. It refuses a database that has other tables.
func Open(ctx context.Context, at Location, models ...any) (*DB, error) {
	return open(ctx, at, func(tx *gorm.DB) error { return migrate(tx, models) })
}

// Reset is like Open, but removes all rows.
func Reset(ctx context.Context, at Location, models ...any) (*DB, error) {
	return open(ctx, at, func(tx *gorm.DB) error {
		if err := migrate(tx, models); err != nil {
			return err
		}
		if err := tx.Migrator().DropTable(models...); err != nil {
			return err //nolint:wrapcheck // open wraps it
		}
		if err := tx.Exec("DELETE FROM " + outboxTable).Error; err != nil {
			return err
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
	// Two processes may open a new database at the same time.
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

// quietGorm returns a configuration without gorm's own log. The demo logs the errors
// that matter.
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
	if err := tx.AutoMigrate(models...); err != nil {
		return err
	}
	own, err := SQL(tx)
	if err != nil {
		return err
	}
	return outbox.Migrate(tx.Statement.Context, own)
}

// ownSchema creates the demo's schema if it does not exist. CREATE SCHEMA IF NOT
// EXISTS would need the right to create a schema even if this one exists.
func ownSchema(tx *gorm.DB) error {
	var there int64
	err := tx.Raw("SELECT count(*) FROM pg_namespace WHERE nspname = ?", postgresSchema).Scan(&there).Error
	if err != nil || there > 0 {
		return err
	}
	return tx.Exec("CREATE SCHEMA " + postgresSchema).Error
}

// ours returns an error if another application uses the database: the demo would
// change its tables, and --reset would drop them.
func ours(tx *gorm.DB, models []any) error {
	tables, err := tx.Migrator().GetTables()
	if err != nil {
		return fmt.Errorf("listing its tables: %w", err)
	}
	tables = slices.DeleteFunc(tables, func(name string) bool { return strings.HasPrefix(name, "sqlite_") })
	own := map[string]bool{outboxTable: true}
	for _, model := range models {
		statement := gorm.Statement{DB: tx}
		if err := statement.Parse(model); err != nil {
			return fmt.Errorf("naming its tables: %w", err)
		}
		own[statement.Schema.Table] = true
	}
	foreign := slices.DeleteFunc(slices.Clone(tables), func(name string) bool { return own[name] })
	// The demo creates these two in one transaction, so a database of the demo has both.
	both := slices.Contains(tables, "customers") && slices.Contains(tables, "exports")
	switch {
	case len(foreign) > 0:
		slices.Sort(foreign)
		return fmt.Errorf("it is not the demo's: it has a table %s; name another database with --data or DATABASE_URL", foreign[0])
	case len(tables) > 0 && !both:
		return fmt.Errorf("it is not the demo's: it has a table %s but not all of the demo's tables; name another database with --data or DATABASE_URL", tables[0])
	}
	return nil
}

// SQL returns the transaction of database/sql in which tx runs, for packages that do not
// know gorm. tx must be the argument of the function that [gorm.DB.Transaction] or Alone
// calls.
func SQL(tx *gorm.DB) (*sql.Tx, error) {
	own, ok := tx.Statement.ConnPool.(*sql.Tx)
	if !ok {
		return nil, fmt.Errorf("the statement runs in a %T, not in a transaction", tx.Statement.ConnPool)
	}
	return own, nil
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
