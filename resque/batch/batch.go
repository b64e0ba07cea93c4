package batch

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// The reasons why members cannot be added. The errors wrap them.
var (
	// ErrNotFound means that the batch does not exist, or has expired.
	ErrNotFound = errors.New("batch: the batch does not exist")
	// ErrSealed means that the batch is sealed.
	ErrSealed = errors.New("batch: the batch is sealed")
	// ErrCanceled means that the batch is canceled.
	ErrCanceled = errors.New("batch: the batch is canceled")
	// ErrRubyScheduler means that a job is delayed while a Ruby process holds the lock of
	// the scheduler. It would drop the mark of the member, and the batch would never be
	// complete. Run `goresque scheduler`, or add the job without a delay.
	ErrRubyScheduler = errors.New("batch: a delayed job cannot be a member while a Ruby process is the scheduler: it would drop the job's mark (run goresque scheduler instead)")
)

// DefaultKeep is the default of [Config].Keep.
const DefaultKeep = 30 * 24 * time.Hour

// Config configures a [Batch]. The zero value is a batch without callbacks.
type Config struct {
	// Description says what the batch is for. People see it.
	Description string

	// Complete is enqueued once, when the batch is sealed and all members have ended. Some
	// of them may have failed. Defaults to the zero Job, which means none.
	Complete resque.Job

	// Success is enqueued once, when the batch is sealed and all members have succeeded,
	// after Complete. If members have failed, that is when the last of them was requeued
	// and has succeeded. It is not enqueued if the batch is canceled. Defaults to the
	// zero Job, which means none.
	Success resque.Job

	// Keep is how long the batch is kept after its last callback was enqueued. A failed
	// member that is requeued later is performed but not counted. A batch that is not
	// complete is kept. Defaults to DefaultKeep.
	Keep time.Duration
}

// Batch adds members to a batch. It is safe for concurrent use.
type Batch struct {
	client *resque.Client
	store  *store.Store
	id     string
	within bool // this is the batch of the running job

	mu     sync.Mutex
	create *Config   // nil if the batch exists
	adding *addition // the call of Add that is not finished
}

// New returns a new batch. It does not use Redis: the first call of Add, Member or Seal
// creates the batch there. Callbacks must not be delayed. The enqueue hooks of callbacks
// are called when the batch is created.
func New(client *resque.Client, cfg Config) (*Batch, error) {
	var errs []error
	if client == nil || client.Redis() == nil {
		errs = append(errs, errors.New("batch: New: the client is nil or has no Redis"))
	}
	if cfg.Keep < 0 {
		errs = append(errs, fmt.Errorf("batch: New: Keep is %v; it must not be negative", cfg.Keep))
	}
	for name, job := range map[string]resque.Job{"Complete": cfg.Complete, "Success": cfg.Success} {
		if _, delayed := job.Delayed(time.Time{}); delayed {
			errs = append(errs, fmt.Errorf("batch: New: %s is a delayed job (enqueue it from the callback instead)", name))
		}
		if !isZero(job) && (job.Class == "" || job.Queue == "") {
			errs = append(errs, fmt.Errorf("batch: New: %s has no class or no queue", name))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	cfg.Keep = cmp.Or(cfg.Keep, DefaultKeep)
	return &Batch{client: client, store: store.New(client.Redis()), id: newID(time.Now()), create: &cfg}, nil
}

func isZero(job resque.Job) bool { return job.Class == "" && job.Queue == "" && job.Args == nil }

// newID returns an id that sorts by time.
func newID(now time.Time) string {
	return fmt.Sprintf("%011x-%s", now.UnixMilli(), strings.ToLower(rand.Text()[:12]))
}

// Open returns the batch with an id. It does not use Redis.
func Open(client *resque.Client, id string) (*Batch, error) {
	switch {
	case client == nil || client.Redis() == nil:
		return nil, errors.New("batch: Open: the client is nil or has no Redis")
	case !policy.ValidBatchID(id):
		return nil, fmt.Errorf("batch: %q is not the id of a batch", id)
	}
	return &Batch{client: client, store: store.New(client.Redis()), id: id}, nil
}

// FromContext returns the batch of the job that a handler performs with ctx. The handler
// may add members to it, also if it is sealed, because the batch is not complete before
// the job has ended. ok is false if the job is not a member of a batch, or if ctx has no
// client; see [resque.ClientFromContext].
func FromContext(ctx context.Context) (b *Batch, ok bool) {
	job, ok := resque.FromContext(ctx)
	if !ok {
		return nil, false
	}
	mark, ok := policy.MarkOf(job.Raw)
	if !ok {
		return nil, false
	}
	client, ok := resque.ClientFromContext(ctx)
	if !ok {
		return nil, false
	}
	b, err := Open(client, mark.ID)
	if err != nil {
		return nil, false
	}
	b.within = true
	return b, true
}

// ID returns the id of the batch.
func (b *Batch) ID() string { return b.id }

// Seal says that no more members follow. When all members have ended, the callbacks are
// enqueued; at once if there are none. A second call changes nothing, but enqueues
// callbacks that Redis has refused; see [Status].Fault.
func (b *Batch) Seal(ctx context.Context) error { return b.seal(ctx, false) }

// Cancel ends a batch early. No more members can be added. A waiting member is not
// performed: a worker that takes it, within about a second after Cancel, counts it as
// skipped. This applies also to members that are delayed, retried or requeued. Running
// members are performed to their end. When all members have ended, Complete is enqueued;
// Success is not.
func (b *Batch) Cancel(ctx context.Context) error { return b.seal(ctx, true) }

func (b *Batch) seal(ctx context.Context, cancel bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.adding != nil && !cancel {
		return errUnfinished
	}
	if b.create != nil {
		if _, err := b.take(ctx, 0); err != nil {
			return err
		}
	}
	err := b.store.SealBatch(ctx, b.id, cancel)
	if err == nil {
		b.adding = nil
	}
	return wrap(err)
}

// take gives numbers to n new members. It creates the batch if it is new.
func (b *Batch) take(ctx context.Context, n int) (first int64, err error) {
	var create *store.NewBatch
	if b.create != nil {
		if create, err = b.newBatch(ctx); err != nil {
			return 0, err
		}
	}
	if first, err = b.store.TakeMembers(ctx, b.id, create, n); err != nil {
		return 0, wrap(err)
	}
	b.create = nil
	return first, nil
}

func (b *Batch) newBatch(ctx context.Context) (*store.NewBatch, error) {
	create := &store.NewBatch{Description: b.create.Description, Keep: b.create.Keep}
	for _, c := range []struct {
		job resque.Job
		to  *store.Callback
	}{{b.create.Complete, &create.Complete}, {b.create.Success, &create.Success}} {
		if isZero(c.job) {
			continue
		}
		_, err := b.client.EnqueueWith(ctx, c.job, func(_ context.Context, queue string, payload []byte) error {
			*c.to = store.Callback{Queue: queue, Payload: payload}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("batch: the callback %s: %w", c.job.Class, err)
		}
	}
	return create, nil
}

// mark returns job as the member with a number.
func (b *Batch) mark(job resque.Job, n int64) resque.Job {
	mark, _ := json.Marshal(policy.Mark{ID: b.id, N: n}) // a string and a number
	return job.WithMember(policy.Member, json.RawMessage(mark))
}

// wrap returns an error of the store as one of this package.
func wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNoBatch):
		return ErrNotFound
	}
	return fmt.Errorf("batch: %w", err)
}
