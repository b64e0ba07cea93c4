package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// database holds the customers and the exports. Several processes may use the
// same one at once.
type database struct {
	gorm *gorm.DB
	at   location
}

var _ finder = (*database)(nil)

// models are what the database has a table of, each.
func models() []any { return []any{&customer{}, &Export{}, &chunk{}, &counter{}} }

// openDatabase opens the database at a location and makes its tables where they
// are missing. One that has other tables than the demo's is refused.
func openDatabase(ctx context.Context, at location) (*database, error) {
	return openAnd(ctx, at, (*database).migrate)
}

// resetDatabase is openDatabase, but all exports and customers are removed.
func resetDatabase(ctx context.Context, at location) (*database, error) {
	return openAnd(ctx, at, (*database).reset)
}

func openAnd(ctx context.Context, at location, prepare func(*database, *gorm.DB) error) (*database, error) {
	var (
		g   *gorm.DB
		err error
	)
	if at.postgres != nil {
		g, err = openPostgres(ctx, at.postgres)
	} else {
		g, err = openSQLite(ctx, at.path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the database %s: %w", at.shown, err)
	}
	d := &database{gorm: g, at: at}
	// One at a time, because two processes may meet a new database at once.
	err = g.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := oneAtATime(tx); err != nil {
			return err
		}
		return prepare(d, tx)
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("preparing the database %s: %w", at.shown, err), d.close())
	}
	return d, nil
}

// quietGorm leaves it to us what is logged.
func quietGorm() *gorm.Config { return &gorm.Config{Logger: logger.Discard} }

//nolint:wrapcheck // openAnd wraps it
func (d *database) migrate(tx *gorm.DB) error {
	if d.at.postgres != nil {
		if err := ownSchema(tx); err != nil {
			return err
		}
	}
	if err := ours(tx); err != nil {
		return err
	}
	return tx.AutoMigrate(models()...)
}

//nolint:wrapcheck // openAnd wraps it
func (d *database) reset(tx *gorm.DB) error {
	if err := d.migrate(tx); err != nil {
		return err
	}
	if err := tx.Migrator().DropTable(models()...); err != nil {
		return err
	}
	return tx.AutoMigrate(models()...)
}

// ownSchema makes the demo's schema. It looks first, because to ask for one that
// is there wants the right to make it all the same.
func ownSchema(tx *gorm.DB) error {
	var there int64
	err := tx.Raw("SELECT count(*) FROM pg_namespace WHERE nspname = ?", postgresSchema).Scan(&there).Error
	if err != nil || there > 0 {
		return err
	}
	return tx.Exec("CREATE SCHEMA " + postgresSchema).Error
}

// ours refuses a database that somebody else has made: it would change its
// tables, and --reset drop them.
func ours(tx *gorm.DB) error {
	tables, err := tx.Migrator().GetTables()
	if err != nil {
		return fmt.Errorf("listing its tables: %w", err)
	}
	tables = slices.DeleteFunc(tables, func(name string) bool { return strings.HasPrefix(name, "sqlite_") })
	own := map[string]bool{}
	for _, model := range models() {
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

func (d *database) close() error {
	conns, err := d.gorm.DB()
	if err == nil {
		err = conns.Close()
	}
	if err != nil {
		return fmt.Errorf("closing the database %s: %w", d.at.shown, err)
	}
	return nil
}
