package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	_ "github.com/mattn/go-sqlite3"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/resque/outbox"
)

var Exporter = resque.Define1[int64]("Exporter", "exports")

// createExport stores an export and its job: both or neither.
func createExport(ctx context.Context, db *sql.DB, rows int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	var id int64
	if err := tx.QueryRowContext(ctx, "INSERT INTO exports (rows) VALUES ($1) RETURNING id", rows).Scan(&id); err != nil {
		return err
	}
	if _, err := outbox.Write(ctx, tx, Exporter.Job(id)); err != nil {
		return err
	}
	return tx.Commit()
}

func Example() {
	ctx, stop := context.WithCancel(context.Background())
	server, err := embedded.Start("")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	rdb, err := resque.Open(resque.RedisConfig{URL: server.URL()})
	if err != nil {
		log.Fatal(err)
	}
	defer rdb.Close()
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		log.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:example?mode=memory&cache=shared")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE exports (id INTEGER PRIMARY KEY, rows INTEGER)"); err != nil {
		log.Fatal(err)
	}
	if err := outbox.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}

	relay := &outbox.Relay{DB: db, Client: client}
	ended := make(chan error, 1)
	go func() { ended <- relay.Run(ctx) }()
	if err := createExport(ctx, db, 1000); err != nil {
		log.Fatal(err)
	}
	relay.Wake()

	for { // until the relay has enqueued the job
		if job, ok, err := client.Pop(ctx, "exports"); err != nil {
			log.Fatal(err)
		} else if ok {
			fmt.Printf("%s\n", job.Raw)
			break
		}
	}
	stop()
	fmt.Println(<-ended)
	// Output:
	// {"class":"Exporter","args":[1]}
	// <nil>
}
