package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/resque"
)

// Write stores jobs in the outbox, in the transaction tx, and returns a receipt for each, as
// [resque.Client.EnqueueAll] does. The hooks of the jobs' definitions are called, but not
// those of a client: see [Writer]. If Write returns an error, roll tx back.
//
// Delayed jobs may be written: a time that [resque.Job.In] has set counts from the call of
// Write, on the clock of this machine.
func Write(ctx context.Context, tx *sql.Tx, jobs ...resque.Job) (resque.Receipts, error) {
	return Writer{}.Write(ctx, tx, jobs...)
}

// Writer writes jobs as a client enqueues them. Write calls the enqueue hooks of the client,
// such as those that encrypt arguments, and uses its JSON. The relay calls no hooks.
type Writer struct {
	Client *resque.Client // nil means one without hooks
}

// rowsPerInsert limits the parameters of a statement to 4,000. SQLite allows 32,766.
const rowsPerInsert = 1000

// Write is like the function [Write], but with the client's hooks. AfterEnqueue hooks are not
// called, because the job is not enqueued yet.
func (w Writer) Write(ctx context.Context, tx *sql.Tx, jobs ...resque.Job) (resque.Receipts, error) {
	receipts := make(resque.Receipts, len(jobs))
	rows, err := w.rows(ctx, jobs, receipts)
	if err != nil {
		return nil, err
	}
	for len(rows) > 0 {
		n := min(len(rows), rowsPerInsert)
		if err := insert(ctx, tx, rows[:n]); err != nil {
			return nil, fmt.Errorf("outbox: storing %d jobs: %w", len(rows), hint(err))
		}
		rows = rows[n:]
	}
	return receipts, nil
}

// rows returns the rows of jobs and sets their receipts. It calls the hooks.
func (w Writer) rows(ctx context.Context, jobs []resque.Job, receipts resque.Receipts) ([]row, error) {
	client := w.Client
	if client == nil {
		var err error
		if client, err = resque.New(nil, resque.Config{Inline: resque.HandlerFunc(notPerformed)}); err != nil {
			return nil, err
		}
	}
	rows := make([]row, 0, len(jobs))
	for i, job := range jobs {
		receipt, err := client.StoreWith(ctx, job, func(_ context.Context, queue string, payload []byte, due time.Time) error {
			r := row{queue: queue, payload: payload, written: time.Now().UnixMilli()}
			if !due.IsZero() {
				r.due = sql.NullInt64{Int64: due.Unix(), Valid: true}
			}
			rows = append(rows, r)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("outbox: job %d: %w", i+1, err)
		}
		receipts[i] = receipt
	}
	return rows, nil
}

// notPerformed is the handler of the client of the zero Writer, which performs no jobs.
func notPerformed(context.Context, *resque.Payload) error {
	return errors.New("outbox: a job that is written is not performed")
}

// row is a row of the table.
type row struct {
	id      int64
	queue   string
	payload []byte
	due     sql.NullInt64 // in seconds
	written int64         // in milliseconds
	err     sql.NullString
}

func (r *row) fields() []any {
	return []any{&r.id, &r.queue, &r.payload, &r.due, &r.written, &r.err}
}

// insert inserts new rows.
func insert(ctx context.Context, db DB, rows []row) error {
	const fields = 4
	args := make([]any, 0, fields*len(rows))
	for _, r := range rows {
		args = append(args, r.queue, string(r.payload), r.due, r.written)
	}
	_, err := db.ExecContext(ctx, "INSERT INTO goresque_outbox (queue, payload, due_at, written_at) VALUES "+places(len(rows), fields), args...)
	return err
}

// putBack inserts rows that were taken, with their ids.
func putBack(ctx context.Context, db DB, rows []row) error {
	const fields = 6
	args := make([]any, 0, fields*len(rows))
	for _, r := range rows {
		args = append(args, r.id, r.queue, string(r.payload), r.due, r.written, r.err)
	}
	_, err := db.ExecContext(ctx, "INSERT INTO goresque_outbox ("+columns+") VALUES "+places(len(rows), fields), args...)
	return err
}

// places returns the parameters of a statement that inserts rows: ($1,$2),($3,$4). SQLite
// counts parameters with names in the order in which they appear.
func places(rows, fields int) string {
	var b strings.Builder
	for i := range rows * fields {
		switch {
		case i == 0:
			b.WriteByte('(')
		case i%fields == 0:
			b.WriteString("),(")
		default:
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteByte(')')
	return b.String()
}
