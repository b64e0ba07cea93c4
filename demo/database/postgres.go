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

// postgresSchema is the schema of the demo's tables. The demo has its own schema
// because DATABASE_URL may name the database of an application that also has a
// table customers.
const postgresSchema = "goresque_demo"

// openPostgres opens a database and checks that it answers. It uses at most five
// connections, because hosted plans allow few.
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
		return fmt.Errorf("%w\nPostgreSQL refused the connection: check the user, the password and the database in DATABASE_URL", err)
	}
	if errors.Is(err, context.Canceled) {
		return err //nolint:wrapcheck // the command was stopped
	}
	// Without the network error, which the command would explain as a fault of Redis.
	return fmt.Errorf("%v\nIs it running? Start PostgreSQL, or name another database with DATABASE_URL; without DATABASE_URL the demo uses an SQLite file", err) //nolint:errorlint // as above
}

// Alone runs fn in a transaction that no concurrent transaction can affect. If
// another transaction has changed the same rows, Alone calls fn again, so fn must be
// idempotent.
//
// In SQLite each transaction starts as the only writer. PostgreSQL runs them
// concurrently, and refuses the later of two that change the same row.
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
		case <-time.After(rand.N(50 * time.Millisecond)): //nolint:gosec // any jitter will do
		}
	}
	return err //nolint:wrapcheck // its callers wrap it
}

// overtaken reports whether PostgreSQL refused a transaction because of another one.
func overtaken(err error) bool {
	const serializationFailure, deadlock = "40001", "40P01"
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (refused.Code == serializationFailure || refused.Code == deadlock)
}

// OneAtATime makes a PostgreSQL transaction wait until all others that called
// OneAtATime have ended. SQLite always runs one transaction at a time.
func OneAtATime(tx *gorm.DB) error {
	const ours = 0x676f7265737175 // a number that no other application uses
	if tx.Name() != "postgres" {
		return nil
	}
	return tx.Exec("SELECT pg_advisory_xact_lock(?)", int64(ours)).Error
}
