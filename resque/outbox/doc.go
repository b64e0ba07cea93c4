// Package outbox enqueues jobs in a transaction of the application's own database. [Write]
// stores jobs in a table, inside the transaction that stores the data they are about. A
// [Relay] moves them to their queues after the commit. So a job is enqueued if and only if
// its transaction is committed, also if the process is killed or Redis is away:
//
//	tx, err := db.BeginTx(ctx, nil)
//	…
//	err = tx.QueryRowContext(ctx, "INSERT INTO exports …").Scan(&id)
//	_, err = outbox.Write(ctx, tx, Exporter.Job(id))
//	err = tx.Commit()
//	relay.Wake()
//
// It works with PostgreSQL, and with SQLite from version 3.35 on, by any driver for
// database/sql. [Migrate] creates the table.
//
// A job is enqueued at least once. If a relay dies between the push and the commit that
// deletes the job from the table, the next relay pushes the job again.
package outbox
