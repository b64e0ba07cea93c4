package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

// postgresSchema is the schema of the demo's tables: DATABASE_URL may name the
// database of an application that also has a table of customers.
const postgresSchema = "goresque_demo"

// openPostgres opens a database and checks that it answers. It uses five
// connections at most, because hosted plans allow few.
func openPostgres(ctx context.Context, cfg *pgx.ConnConfig) (*gorm.DB, error) {
	conns := stdlib.OpenDB(*cfg)
	conns.SetMaxOpenConns(5)
	conns.SetMaxIdleConns(5)
	conns.SetConnMaxIdleTime(time.Minute)
	err := answers(ctx, conns)
	if err == nil {
		var g *gorm.DB
		if g, err = gorm.Open(postgres.New(postgres.Config{Conn: conns}), quietGorm()); err == nil {
			return g, nil
		}
	}
	return nil, errors.Join(err, conns.Close())
}

func answers(ctx context.Context, conns *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := conns.PingContext(ctx)
	if err == nil {
		return nil
	}
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) {
		return fmt.Errorf("%w\nIt is running, and refuses: look at the user, the password and the database in DATABASE_URL", err)
	}
	return fmt.Errorf("%w\nIs it running? Start PostgreSQL, or name another database with DATABASE_URL; without one, the demo keeps its data in a file", err)
}

// Alone runs fn in a transaction that ends as if no other had run meanwhile. It
// runs fn again if another transaction has changed the same rows, so fn must be
// idempotent.
//
// SQLite begins each transaction as the only writer. PostgreSQL runs them side by
// side, and refuses the later of two that change the same row.
func (d *DB) Alone(ctx context.Context, fn func(tx *gorm.DB) error) error {
	const tries = 20
	var err error
	for range tries {
		err = d.WithContext(ctx).Transaction(fn, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		if !overtaken(err) {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(rand.N(50 * time.Millisecond)): //nolint:gosec // so that two do not collide again
		}
	}
	return err //nolint:wrapcheck // its callers wrap it
}

// overtaken reports whether PostgreSQL refused a transaction because of another.
func overtaken(err error) bool {
	const serializationFailure, deadlock = "40001", "40P01"
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (refused.Code == serializationFailure || refused.Code == deadlock)
}

// OneAtATime makes a transaction of PostgreSQL wait until all others that called
// OneAtATime have ended. SQLite runs one transaction at a time anyway.
func OneAtATime(tx *gorm.DB) error {
	const ours = 0x676f7265737175 // any number that no other application uses
	if tx.Name() != "postgres" {
		return nil
	}
	return tx.Exec("SELECT pg_advisory_xact_lock(?)", int64(ours)).Error
}
