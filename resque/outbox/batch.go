package outbox

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/resque"
)

// batch is a batch of rows that a relay has taken, in their order.
type batch struct {
	rows    []row
	left    []row // those that were not pushed
	refused []row // those in left that can never be pushed
	equal   []row // those that were not pushed because equal jobs are there
}

func newBatch(rows []row) *batch {
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.id, b.id) })
	return &batch{rows: rows}
}

// push enqueues the jobs. It returns an error if Redis is the reason that some are left.
func (b *batch) push(ctx context.Context, client *resque.Client) error {
	valid := make([]row, 0, len(b.rows))
	jobs := make([]resque.Job, 0, len(b.rows))
	for _, r := range b.rows {
		job, err := r.job(ctx, client)
		if err != nil {
			b.refuse(r, err)
			continue
		}
		valid, jobs = append(valid, r), append(jobs, job)
	}
	if len(jobs) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	receipts, err := client.EnqueueAll(ctx, jobs)
	var unsure error // about equal jobs
	if receipts.Duplicates() > 0 {
		unsure = client.AwaitReplicas(ctx) // an equal job may be this one, pushed by an earlier turn
	}
	for i, r := range valid {
		if receipts[i].State == resque.Duplicate && unsure == nil {
			b.equal = append(b.equal, r)
		}
	}
	if err = errors.Join(err, unsure); err == nil {
		return nil
	}
	var bulk *resque.BulkError
	wrong, refused := errors.As(err, &bulk) && isWrongType(err), len(b.refused)
	few := errors.Is(err, resque.ErrNotReplicated)
	for i, r := range valid {
		switch {
		case receipts[i].Enqueued() && !few, receipts[i].State == resque.Duplicate && unsure == nil:
		case wrong && i >= bulk.From && i < bulk.To && (r.due.Valid || slices.Contains(bulk.Queues, r.queue)):
			b.refuse(r, bulk.Err)
		default:
			b.left = append(b.left, r)
		}
	}
	if len(b.refused) > refused {
		return nil // the others are in the next batch
	}
	return err
}

// isWrongType reports whether Redis refused a push because the key of a queue is not a list,
// which does not change by itself.
func isWrongType(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer) && strings.HasPrefix(string(answer), "WRONGTYPE") && !errors.Is(err, resque.ErrMaybeQueued)
}

func (b *batch) refuse(r row, err error) {
	r.err = sql.NullString{String: strings.ToValidUTF8(strings.ReplaceAll(err.Error(), "\x00", ""), "?"), Valid: true}
	b.left, b.refused = append(b.left, r), append(b.refused, r)
}

// job returns the job of a row, or an error if it can never be enqueued.
func (r *row) job(ctx context.Context, client *resque.Client) (resque.Job, error) {
	payload, err := resque.ParsePayload(r.queue, r.payload)
	if err != nil {
		return resque.Job{}, err
	}
	job, err := payload.Job()
	if err != nil {
		return resque.Job{}, err
	}
	if r.due.Valid {
		job = job.At(time.Unix(r.due.Int64, 0))
	}
	_, err = client.StoreWith(ctx, job, func(context.Context, string, []byte, time.Time) error { return nil })
	return client.WithPolicies(job), err
}
