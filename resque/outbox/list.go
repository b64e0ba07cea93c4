package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/goresque/goresque/resque"
)

// Entry is a job in the outbox.
type Entry struct {
	ID      int64
	Queue   string
	Payload []byte
	Due     time.Time // the zero time unless the job is delayed
	Written time.Time

	// Err is why the relay cannot enqueue the job, or empty. The relay does not try again
	// until the column error of the row is NULL.
	Err string
}

// List returns the first jobs in the outbox, at most limit, in their order.
func List(ctx context.Context, db DB, limit int) ([]Entry, error) {
	rows, err := query(ctx, db, "SELECT "+columns+" FROM goresque_outbox ORDER BY id LIMIT $1", limit)
	if err != nil {
		return nil, fmt.Errorf("outbox: listing jobs: %w", hint(err))
	}
	entries := make([]Entry, len(rows))
	for i, r := range rows {
		e := Entry{ID: r.id, Queue: r.queue, Payload: r.payload, Written: time.UnixMilli(r.written), Err: r.err.String}
		if r.due.Valid {
			e.Due = time.Unix(r.due.Int64, 0)
		}
		entries[i] = e
	}
	return entries, nil
}

// State is what is in the outbox.
type State struct {
	Waiting int64     // jobs that the relay will enqueue
	Refused int64     // jobs that cannot be enqueued; see Entry.Err
	Oldest  time.Time // when the first waiting job was written; the zero time if none waits
}

// ReadState counts the jobs in the outbox, for metrics and health checks.
func ReadState(ctx context.Context, db DB) (State, error) {
	var s State
	var oldest sql.NullInt64
	err := db.QueryRowContext(ctx, `SELECT count(*) - count(error), count(error), min(CASE WHEN error IS NULL THEN written_at END) FROM goresque_outbox`).
		Scan(&s.Waiting, &s.Refused, &oldest)
	if err != nil {
		return s, fmt.Errorf("outbox: counting jobs: %w", hint(err))
	}
	if oldest.Valid {
		s.Oldest = time.UnixMilli(oldest.Int64)
	}
	return s, nil
}

// Remove removes all copies of job from the outbox and returns their number. It compares the
// queue and the bytes of the payload, so it does not find a job to which hooks have added
// something. A job that a relay is pushing at this moment is not removed.
func Remove(ctx context.Context, db DB, job resque.Job) (int64, error) {
	payload, err := job.Encode()
	if err != nil {
		return 0, fmt.Errorf("outbox: removing a job: %w", err)
	}
	result, err := db.ExecContext(ctx, "DELETE FROM goresque_outbox WHERE queue = $1 AND payload = $2", job.Queue, string(payload))
	if err != nil {
		return 0, fmt.Errorf("outbox: removing jobs: %w", hint(err))
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("outbox: counting removed jobs: %w", err)
	}
	return n, nil
}

// query returns the rows of a query that selects columns.
func query(ctx context.Context, db DB, text string, args ...any) (all []row, err error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err has the error
	for rows.Next() {
		var r row
		if err := rows.Scan(r.fields()...); err != nil {
			return nil, err //nolint:wrapcheck // the caller wraps it
		}
		all = append(all, r)
	}
	return all, rows.Err() //nolint:wrapcheck // the caller wraps it
}
