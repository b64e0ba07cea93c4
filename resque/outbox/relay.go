package outbox

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// Relay moves jobs from the outbox to their queues, in the order in which they were written.
// Any number of relays may run, in one process or in several. Each takes up to 1,000 jobs at
// a time, so that with more than one relay the order is kept only among those.
//
// The transaction of a relay is open while it pushes to Redis. In PostgreSQL this locks the
// rows that it has taken, which other relays skip. In SQLite it locks the file against other
// writers, for a few milliseconds, and for at most 5 s if Redis stops answering in between.
//
// While Redis or the database is away, Run tries again, and nothing is lost.
type Relay struct {
	// DB is the database of the outbox. Required.
	DB *sql.DB

	// Client is a client of the Redis to which the jobs go. Required. Its hooks are not
	// called: they belong to the call that writes a job, see Writer. If it waits for replicas
	// (resque.Config.WaitReplicas), a job stays in the outbox until they have acknowledged it:
	// the relay enqueues nothing while too few are connected, and enqueues a job again that
	// they have not acknowledged in time.
	Client *resque.Client

	// Interval is how often the relay looks for jobs of which Wake does not tell it, such as
	// those of other processes. Defaults to 1 s.
	Interval time.Duration

	// Logger gets the relay's log. Defaults to slog.Default().
	Logger *slog.Logger

	started sync.Once
	wake    chan struct{}
	running sync.Mutex

	step func(name string) // for tests that kill the process; may be nil
}

const (
	batchSize    = 1000
	pushTimeout  = 5 * time.Second
	batchTimeout = 30 * time.Second
)

// Wake makes Run look for jobs at once. Call it after the commit of a transaction with jobs.
// It does not wait. A process without a relay need not call it.
func (r *Relay) Wake() {
	select {
	case r.woken() <- struct{}{}:
	default: // Run will look anyway
	}
}

func (r *Relay) woken() chan struct{} {
	r.started.Do(func() { r.wake = make(chan struct{}, 1) })
	return r.wake
}

// Run enqueues jobs until ctx ends. It finishes the batch that it has begun, and returns nil.
// It returns an error only if a required field is missing or the relay is already running.
func (r *Relay) Run(ctx context.Context) error {
	if r.DB == nil || r.Client == nil || r.Client.Redis() == nil {
		return errors.New("outbox: a Relay needs a DB, and a Client with a Redis")
	}
	if r.Interval < 0 {
		return fmt.Errorf("outbox: Relay.Interval is %v; it must not be negative", r.Interval)
	}
	if !r.running.TryLock() {
		return errors.New("outbox: Run was called while the relay is running")
	}
	defer r.running.Unlock()
	client := r.Client.WithoutHooks()
	log := cmp.Or(r.Logger, slog.Default())
	b := &run{
		Relay: r, client: client, store: store.New(client.Redis()), log: log,
		redis:    &exchange.Outage{Begun: "outbox relay cannot reach redis, trying again", Over: "outbox relay reaches redis again", Attrs: resque.LogAttrs, Logger: log},
		database: &exchange.Outage{Begun: "outbox relay cannot use its database, trying again", Over: "outbox relay uses its database again", Logger: log},
	}
	for ctx.Err() == nil {
		b.wait(ctx, b.turn(ctx))
	}
	return nil
}

// run is a call of Run.
type run struct {
	*Relay

	client  *resque.Client // without hooks
	store   *store.Store
	dialect dialect
	log     *slog.Logger
	backoff backoff.Backoff

	redis, database *exchange.Outage
}

// turn enqueues a batch of jobs, if there are any. It returns how long to wait until the next
// turn.
func (r *run) turn(ctx context.Context) time.Duration {
	found, err := r.look(ctx)
	if err != nil {
		return r.failed(ctx, r.database, err)
	}
	if !found {
		r.database.Ended()
		r.backoff.Reset()
		return cmp.Or(r.Interval, time.Second)
	}
	if err := r.ping(ctx); err != nil { // before the transaction, which locks rows
		return r.failed(ctx, r.redis, err)
	}
	redis, err := r.relay(context.WithoutCancel(ctx)) // a batch that was pushed must also be committed
	if err != nil {
		return r.failed(ctx, r.database, err)
	}
	r.database.Ended()
	if redis != nil {
		return r.failed(ctx, r.redis, redis)
	}
	r.redis.Ended()
	r.backoff.Reset()
	return 0
}

// failed reports an error and returns how long to wait.
func (r *run) failed(ctx context.Context, outage *exchange.Outage, err error) time.Duration {
	if ctx.Err() == nil {
		outage.Began(err)
	}
	return r.backoff.Next()
}

func (r *run) wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-r.woken():
	case <-timer.C:
	}
}

// look reports whether a job waits.
func (r *run) look(ctx context.Context) (found bool, err error) {
	if r.dialect.take == "" {
		if r.dialect, err = dialectOf(ctx, r.DB); err != nil {
			return false, err
		}
	}
	var one int
	err = r.DB.QueryRowContext(ctx, "SELECT 1 FROM goresque_outbox WHERE error IS NULL LIMIT 1").Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, hint(err)
	}
	return true, nil
}

func (r *run) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	if err := r.store.Ping(ctx); err != nil {
		return err
	}
	return r.client.AwaitReplicas(ctx)
}

// relay takes a batch from the table, pushes it and commits. It returns the error of Redis and
// that of the database. Jobs that were not pushed stay in the table.
func (r *run) relay(ctx context.Context) (redis, err error) {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	tx, err := r.DB.BeginTx(ctx, nil)
	if err != nil {
		return nil, err //nolint:wrapcheck // turn logs it
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	rows, err := query(ctx, tx, r.dialect.take, batchSize)
	if err != nil {
		return nil, hint(err)
	}
	r.at("taken")
	b := newBatch(rows)
	redis = b.push(ctx, r.client)
	r.at("pushed")
	if len(b.left) == len(rows) && redis != nil {
		return redis, nil // and roll back
	}
	if len(b.left) > 0 {
		if err := putBack(ctx, tx, b.left); err != nil {
			return redis, err
		}
	}
	if err := tx.Commit(); err != nil {
		return redis, err //nolint:wrapcheck // turn logs it
	}
	r.at("committed")
	for _, equal := range b.equal {
		r.log.Info("job in the outbox not enqueued, because an equal job is there", "id", equal.id, "queue", equal.queue)
	}
	for _, refused := range b.refused {
		r.log.Error("job in the outbox cannot be enqueued", "id", refused.id, "queue", refused.queue, "err", refused.err.String)
	}
	return redis, nil
}

func (r *run) at(step string) {
	if r.step != nil {
		r.step(step)
	}
}
