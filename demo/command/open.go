package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/demo/customers"
	"github.com/goresque/goresque/demo/database"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
)

// openRedis opens the Redis that the user named. If the user named none, openRedis
// starts an embedded one, and own is true.
func openRedis(ctx context.Context, env *cli.Env) (rdb *resque.Redis, own bool, stop func(), err error) {
	cfg := env.Redis()
	if cfg.URL != "" {
		if rdb, err = env.OpenRedis(ctx); err != nil {
			return nil, false, nil, err
		}
		return rdb, false, func() { _ = rdb.Close() }, nil
	}
	server, err := embedded.Start("")
	if err != nil {
		return nil, false, nil, err
	}
	cfg.URL = server.URL()
	if rdb, err = resque.Open(cfg); err != nil {
		server.Close()
		return nil, false, nil, err
	}
	return rdb, true, func() { _ = rdb.Close(); server.Close() }, nil
}

// openDatabase opens the database that the flags or DATABASE_URL name, and inserts
// the customers.
func (o *options) openDatabase(ctx context.Context, env *cli.Env, models []any) (_ *database.DB, closeAll func() error, err error) {
	at, remove, err := o.locate(env.Getenv("DATABASE_URL"))
	if err != nil {
		return nil, nil, err
	}
	open := database.Open
	if o.reset {
		open = database.Reset
	}
	db, err := open(ctx, at, models...)
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	closeAll = func() error { return errors.Join(db.Close(), remove()) }
	if err := customers.Seed(ctx, db, o.Rows); err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	return db, closeAll, nil
}

// locate returns the location of the database. After --temp, remove deletes it.
func (o *options) locate(databaseURL string) (at database.Location, remove func() error, err error) {
	remove = func() error { return nil }
	switch {
	case o.temp:
		dir, err := os.MkdirTemp("", "goresque-demo-")
		if err != nil {
			return database.Location{}, nil, fmt.Errorf("creating a temporary directory: %w", err)
		}
		remove = func() error { return os.RemoveAll(dir) }
		databaseURL = "sqlite:" + filepath.Join(dir, database.File)
	case o.data != "":
		databaseURL = "sqlite:" + filepath.Join(o.data, database.File)
	}
	at, err = database.Locate(databaseURL)
	return at, remove, err
}
