package demo

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/cli"
)

// App is the goresque command with the demo's job and its command. The job's
// database is the one that getenv("DATABASE_URL") names, else the demo's default
// one; it is opened by the first job.
func App(getenv func(string) string) cli.App {
	return cli.App{
		Mux:      newMux(&lazyDatabase{url: getenv("DATABASE_URL")}),
		Commands: []func(env *cli.Env) *cobra.Command{newCommand},
	}
}

// lazyDatabase is a database that the first job opens: goresque is used without
// one more often than with.
type lazyDatabase struct {
	url string

	mu sync.Mutex
	db *database
}

var _ finder = (*lazyDatabase)(nil)

func (l *lazyDatabase) find(ctx context.Context, id int64) (*Export, error) {
	db, err := l.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("export %d: %w", id, err)
	}
	return db.find(ctx, id)
}

func (l *lazyDatabase) open(ctx context.Context) (*database, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.db != nil {
		return l.db, nil
	}
	at, err := locate(l.url)
	if err != nil {
		return nil, err
	}
	// A worker that made a file of its own would look for its exports in vain.
	if _, err := os.Stat(at.path); at.path != "" && err != nil {
		return nil, fmt.Errorf("no database: %w (DATABASE_URL says where goresque demo has it)", err)
	}
	l.db, err = openDatabase(ctx, at)
	return l.db, err
}
