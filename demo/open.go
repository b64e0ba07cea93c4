package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
)

// openRedis opens the Redis that the user named, or else starts one; own says
// which.
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

// openDatabase opens the database that the flags or DATABASE_URL name, with its
// customers.
func (o *options) openDatabase(ctx context.Context, env *cli.Env) (_ *database, closeAll func() error, err error) {
	at, remove, err := o.locate(env.Getenv("DATABASE_URL"))
	if err != nil {
		return nil, nil, err
	}
	open := openDatabase
	if o.reset {
		open = resetDatabase
	}
	db, err := open(ctx, at)
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	closeAll = func() error { return errors.Join(db.close(), remove()) }
	if err := db.seed(ctx, o.rows); err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	return db, closeAll, nil
}

// locate says where the data is, and how to remove it where it is a throwaway.
func (o *options) locate(databaseURL string) (at location, remove func() error, err error) {
	remove = func() error { return nil }
	switch {
	case o.temp:
		dir, err := os.MkdirTemp("", "goresque-demo-")
		if err != nil {
			return location{}, nil, fmt.Errorf("making a throwaway directory: %w", err)
		}
		remove = func() error { return os.RemoveAll(dir) }
		databaseURL = "sqlite:" + filepath.Join(dir, databaseFile)
	case o.data != "":
		databaseURL = "sqlite:" + filepath.Join(o.data, databaseFile)
	}
	at, err = locate(databaseURL)
	return at, remove, err
}
