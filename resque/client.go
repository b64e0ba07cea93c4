package resque

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/store"
)

// Config configures a [Client]. The zero value behaves as Resque does.
type Config struct {
	// Inline, if not nil, performs each job at once in the caller's goroutine
	// instead of enqueueing it, and does not use Redis. Use it in tests and in
	// environments without Redis. The job is encoded to JSON and decoded again, and
	// its class's [Timeout] applies. If the job fails, its failure hooks are called,
	// and Enqueue returns the error.
	//
	// Ruby: Resque.inline.
	Inline Handler

	// JSON is the spelling in which jobs are written. Defaults to [JSONPlain].
	JSON JSONProfile

	// WaitReplicas is how many replicas must have acknowledged a job before Enqueue
	// returns. Replication is asynchronous: if a master dies, jobs that no replica has
	// are lost. With WaitReplicas, a job for which Enqueue returned no error survives,
	// if a replica that acknowledged it becomes the master. It costs one more round
	// trip, and the time until the replicas answer. If fewer replicas acknowledge the
	// job in time, the error wraps [ErrNotReplicated].
	WaitReplicas int

	// WaitTimeout is how long to wait for the replicas. Defaults to 1 second.
	WaitTimeout time.Duration

	// EnqueueHooks wrap every call that enqueues a job, and DequeueHooks every call
	// that dequeues jobs. The first is outermost; those of a definition are inside
	// of them.
	EnqueueHooks []EnqueueMiddleware
	DequeueHooks []DequeueMiddleware
}

// Client enqueues jobs, and reads and changes queues, failures and workers. It is safe
// for concurrent use and starts no goroutines.
type Client struct {
	rdb   *Redis
	store *store.Store
	cfg   Config
	jobs  Handler // see WithJobs
}

// New returns a client of rdb. rdb may be nil if cfg.Inline is set. The error reports
// all mistakes in cfg.
func New(rdb *Redis, cfg Config) (*Client, error) {
	_, err := cfg.JSON.spelling()
	if slices.ContainsFunc(cfg.EnqueueHooks, func(m EnqueueMiddleware) bool { return m == nil }) {
		err = errors.Join(err, errors.New("resque: Config.EnqueueHooks has a nil hook"))
	}
	if slices.ContainsFunc(cfg.DequeueHooks, func(m DequeueMiddleware) bool { return m == nil }) {
		err = errors.Join(err, errors.New("resque: Config.DequeueHooks has a nil hook"))
	}
	if cfg.WaitReplicas < 0 || cfg.WaitTimeout < 0 {
		err = errors.Join(err, errors.New("resque: Config.WaitReplicas and WaitTimeout must not be negative"))
	}
	if cfg.WaitTimeout > 0 && cfg.WaitReplicas == 0 {
		err = errors.Join(err, errors.New("resque: Config.WaitTimeout needs WaitReplicas"))
	}
	if cfg.WaitTimeout%time.Millisecond != 0 {
		err = errors.Join(err, errors.New("resque: Config.WaitTimeout must be whole milliseconds"))
	}
	if err != nil {
		return nil, err
	}
	cfg.WaitTimeout = cmp.Or(cfg.WaitTimeout, time.Second)
	cfg.EnqueueHooks, cfg.DequeueHooks = slices.Clone(cfg.EnqueueHooks), slices.Clone(cfg.DequeueHooks)
	if rdb == nil {
		if cfg.Inline == nil {
			return nil, errors.New("resque: New: rdb is nil (open one with Open, or set Config.Inline)")
		}
		return &Client{store: store.New(nowhere{}), cfg: cfg}, nil
	}
	c := &Client{rdb: rdb, store: store.New(rdb), cfg: cfg}
	c.store.Replicas = store.Replicas{Count: cfg.WaitReplicas, Timeout: cfg.WaitTimeout}
	return c, nil
}

// WithJobs returns a copy of the client that knows the policies of the classes of jobs,
// which is usually a [Mux]. When it removes jobs from a queue or from the delayed jobs, it
// frees the locks that they hold, and when it restores jobs, it takes the locks again; see
// package unique. For a class without a policy that takes locks, it frees a lock that one of
// Ruby's plugins would use for the job, if there is one, and takes none again.
//
// A client without WithJobs knows only the policies of jobs that a definition made.
func (c *Client) WithJobs(jobs Handler) *Client {
	with := *c
	with.jobs = jobs
	return &with
}

// Jobs returns the jobs of WithJobs, or nil.
func (c *Client) Jobs() Handler { return c.jobs }

// WithoutHooks returns a copy of the client without its EnqueueHooks and DequeueHooks, for
// programs that enqueue jobs for which the hooks have already been called.
func (c *Client) WithoutHooks() *Client {
	without := *c
	without.cfg.EnqueueHooks, without.cfg.DequeueHooks = nil, nil
	return &without
}

// AwaitReplicas waits, for at most [Config].WaitTimeout, until as many replicas as
// WaitReplicas says have acknowledged all that is in Redis, and returns an error if fewer
// have. A program that can wait calls it before it enqueues, because a job is in Redis also
// if too few replicas acknowledge it. Without WaitReplicas it does nothing.
func (c *Client) AwaitReplicas(ctx context.Context) error {
	if c.rdb == nil {
		return nil
	}
	err := c.store.AwaitReplicas(ctx)
	if few := (*store.NotReplicatedError)(nil); errors.As(err, &few) && few.Err == nil {
		return fmt.Errorf("resque: %d of %d replicas are connected and up to date", few.Got, few.Want)
	}
	if err != nil {
		return fmt.Errorf("resque: %w", err)
	}
	return nil
}

type clientKey struct{}

// WithClient returns a copy of ctx for which [ClientFromContext] returns c. Workers call
// it.
func WithClient(ctx context.Context, c *Client) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

// ClientFromContext returns the client of the worker that performs the job of ctx. In a
// child process there is one only if the context of worker.ServeChild has it.
func ClientFromContext(ctx context.Context) (c *Client, ok bool) {
	c, ok = ctx.Value(clientKey{}).(*Client)
	return c, ok
}

// Redis returns the source of the client's connections, for workers, dashboards and
// plugins. It returns nil for an inline client that was created without one.
func (c *Client) Redis() *Redis { return c.rdb }

// Close closes idle connections. Those in use are closed when they are returned. The client
// must not be used again.
func (c *Client) Close() error {
	if c.rdb == nil {
		return nil
	}
	return c.rdb.Close()
}

// Enqueue places job at the end of its queue, or delays it if [Job.At] or [Job.In] say
// so, and returns when Redis has answered. It never retries. If the error wraps [ErrMaybeQueued], the job may be in the queue.
// With any other error the job is not queued, unless the receipt reports that it is:
// then the error is from an [AfterEnqueue] hook, or wraps [ErrNotReplicated].
//
// Ruby: Resque.enqueue.
func (c *Client) Enqueue(ctx context.Context, job Job) (Receipt, error) {
	if !c.hooked(job) { // as enqueueBy, but without an allocation
		return c.enqueue(ctx, job)
	}
	return c.enqueueBy(ctx, job, c.enqueue)
}

// EnqueueFront places job at the front of its queue, so that it is the next to be
// performed. Otherwise it is like [Client.Enqueue]. It returns an error for a job that
// is to be delayed.
//
// Ruby: Resque.enqueue_front, which Resque 3.0.0 has but ignores.
func (c *Client) EnqueueFront(ctx context.Context, job Job) (Receipt, error) {
	return c.enqueueBy(ctx, job, func(ctx context.Context, job Job) (Receipt, error) {
		if job.due != nil {
			return Receipt{}, fmt.Errorf("resque: enqueueing %s: a delayed job goes to the end of its queue (use Enqueue)", job.Class)
		}
		if job.hooks.pushing() != nil && c.cfg.Inline == nil {
			return c.pushWith(ctx, job, true)
		}
		return c.pushJob(ctx, job, c.store.PushFront)
	})
}

// EnqueueTo places job at the end of queue instead of job.Queue. Otherwise it is like
// [Client.Enqueue].
//
// Ruby: Resque.enqueue_to.
func (c *Client) EnqueueTo(ctx context.Context, queue string, job Job) (Receipt, error) {
	return c.Enqueue(ctx, job.To(queue))
}

// EnqueueWith calls the enqueue hooks of the client and of the job's definition as
// [Client.Enqueue] does, but calls push with the payload instead of writing it to Redis,
// also if the client is inline. Packages that write jobs with their own scripts, such as
// resque/scheduler, use it. Policies of the class take no part: push must write what
// [Client.PushEffects] returns.
func (c *Client) EnqueueWith(ctx context.Context, job Job, push func(ctx context.Context, queue string, payload []byte) error) (Receipt, error) {
	return c.enqueueBy(ctx, job, func(ctx context.Context, job Job) (Receipt, error) {
		if err := job.validate(); err != nil {
			return Receipt{}, err
		}
		if job.due != nil {
			return Receipt{}, fmt.Errorf("resque: enqueueing %s: the job must not be delayed", job.Class)
		}
		payload, err := c.appendPayload(nil, job)
		if err == nil {
			err = push(ctx, job.Queue, payload)
		}
		if err != nil {
			return Receipt{}, err
		}
		return Receipt{State: Queued, Queue: job.Queue}, nil
	})
}

// StoreWith calls the enqueue hooks of the client and of the job's definition as
// [Client.Enqueue] does, but calls put with the payload instead of writing it to Redis, also
// if the client is inline. due is the zero time unless the job is to be delayed; a time that
// [Job.In] has set counts from now. The receipt's state is [Stored]. AfterEnqueue hooks are
// not called, because the job is not enqueued yet. Package resque/outbox uses it.
//
// A lock of the job's class, see package unique, is taken when the job is enqueued. So a job
// of such a class is refused unless the client knows the class by [Client.WithJobs]. The
// program that enqueues it must call [Client.WithPolicies].
func (c *Client) StoreWith(ctx context.Context, job Job, put func(ctx context.Context, queue string, payload []byte, due time.Time) error) (Receipt, error) {
	return c.enqueueBy(ctx, job, func(ctx context.Context, job Job) (Receipt, error) {
		payload, due, err := c.payloadToStore(job)
		if err == nil {
			err = c.checkLocks(job)
		}
		if err == nil {
			err = put(ctx, job.Queue, payload, due)
		}
		if err != nil {
			return Receipt{}, err
		}
		return Receipt{State: Stored, Queue: job.Queue}, nil
	})
}

// payloadToStore returns the payload that job has in its queue, and when it is due.
func (c *Client) payloadToStore(job Job) (payload []byte, due time.Time, err error) {
	if err := job.validate(); err != nil {
		return nil, due, err
	}
	if job.due == nil {
		payload, err = c.appendPayload(nil, job)
		return payload, due, err
	}
	if due = job.due.at; due.IsZero() {
		due = time.Now().Add(job.due.in)
	}
	payload, d, err := c.appendDelayed(nil, job, due)
	if err != nil {
		return nil, due, err
	}
	return slices.Delete(payload, d.CutFrom, d.CutTo), due, nil
}

// Hooked reports whether the client or the job's definition has enqueue hooks, so that
// each time the job is enqueued its payload may be different.
func (c *Client) Hooked(job Job) bool { return c.hooked(job) }

// ErrMaybeQueued is wrapped by the error of [Client.Enqueue] if the job may be in
// the queue because the connection broke after the job was sent.
var ErrMaybeQueued = errors.New("resque: it is not known whether the job was queued")

// ErrNotReplicated is wrapped by the error of [Client.Enqueue] if the job is in Redis, but
// fewer than [Config].WaitReplicas replicas acknowledged it in time. The receipt reports
// the job as enqueued: to enqueue it again would perform it twice.
var ErrNotReplicated = errors.New("resque: the job is in Redis, but not on enough replicas")

// enqueue pushes, delays or performs job. It calls no hooks.
func (c *Client) enqueue(ctx context.Context, job Job) (Receipt, error) {
	if job.hooks.pushing() != nil && c.cfg.Inline == nil {
		return c.pushWith(ctx, job, false)
	}
	if job.due != nil && c.cfg.Inline == nil {
		return c.delay(ctx, job)
	}
	return c.pushJob(ctx, job, c.store.Push)
}

// usualPayload is the room for most payloads, so that they are encoded with one
// allocation.
const usualPayload = 128

// pushJob enqueues job with push, or performs it inline. It calls no hooks.
//
// Ruby: Resque::Job.create.
func (c *Client) pushJob(ctx context.Context, job Job, push func(context.Context, string, []byte) error) (Receipt, error) {
	if err := job.validate(); err != nil {
		return Receipt{}, err
	}
	payload, err := c.appendPayload(make([]byte, 0, usualPayload), job)
	if err != nil {
		return Receipt{}, err
	}
	if c.cfg.Inline != nil {
		return c.performInline(ctx, job.Queue, payload)
	}
	return placed(job, Receipt{State: Queued, Queue: job.Queue}, push(ctx, job.Queue, payload))
}

// placed returns the result of a push that would have receipt if err were nil.
func placed(job Job, receipt Receipt, err error) (Receipt, error) {
	if err == nil {
		return receipt, nil
	}
	if !notReplicated(err) {
		receipt = Receipt{}
	}
	return receipt, enqueueError(job, err)
}

func notReplicated(err error) bool {
	var few *store.NotReplicatedError
	return errors.As(err, &few)
}

func enqueueError(job Job, err error) error {
	return fmt.Errorf("resque: enqueueing %s: %w", job.Class, maybeQueued(err))
}

// maybeQueued adds ErrMaybeQueued to the error of a push, unless err shows that
// nothing was queued.
func maybeQueued(err error) error {
	var notSent *store.NotSentError
	if notReplicated(err) {
		return fmt.Errorf("%w: %w", unprefixed{ErrNotReplicated}, err)
	}
	if errors.As(err, &notSent) || store.Refused(err) {
		return err
	}
	return fmt.Errorf("%w: %w", unprefixed{ErrMaybeQueued}, err)
}

// nowhere is the Redis of an inline client that has none. All its calls fail.
type nowhere struct{}

func (nowhere) Conn(context.Context) (redis.Conn, error) {
	return nil, errors.New("resque: this client is inline and has no Redis")
}

func (nowhere) Key(parts ...string) string { return strings.Join(parts, ":") }

// performInline performs a payload as a worker would, in the calling goroutine, and
// calls the route's failure hooks if it fails. With ErrDontPerform the job counts as
// performed.
//
// Ruby: Resque::Job.create if Resque.inline?, which raises the error of perform.
func (c *Client) performInline(ctx context.Context, queue string, payload []byte) (Receipt, error) {
	job, err := ParsePayload(queue, payload)
	if err != nil {
		return Receipt{}, err
	}
	inside, err := Unwrap(c.cfg.Inline, job)
	if err == nil {
		job = inside
		err = c.performInTime(ctx, job)
	}
	if err == nil || errors.Is(err, ErrDontPerform) {
		return Receipt{State: Performed, Queue: queue}, nil
	}
	if IsSnooze(err) {
		return Receipt{}, fmt.Errorf("resque: performing %s inline: an inline client performs no job again: %w", job.Class, err)
	}
	err = FailureHooks(WithPayload(context.WithoutCancel(ctx), job), c.cfg.Inline, job, err)
	return Receipt{}, fmt.Errorf("resque: performing %s inline: %w", job.Class, err)
}

// performInTime performs a job within its class's Timeout, as a worker does.
func (c *Client) performInTime(ctx context.Context, job *Payload) error {
	route := routeOf(c.cfg.Inline, job.Class)
	if route.Timeout <= 0 {
		return Perform(ctx, c.cfg.Inline, job)
	}
	timeout := &TimeoutError{Class: job.Class, After: route.Timeout}
	ctx, cancel := context.WithTimeoutCause(ctx, route.Timeout, timeout)
	defer cancel()
	err := Perform(ctx, c.cfg.Inline, job)
	if err != nil && context.Cause(ctx) == error(timeout) && errors.Is(err, ctx.Err()) { //nolint:errorlint // only this very value is our timeout
		return timeout
	}
	return err
}

// EnqueuePayload places payload at the end of queue without changing it. Use it to put
// a payload that was read from a queue back with some of its bytes replaced, so that it
// keeps members that other programs have added. No enqueue hook is called. It returns the errors
// of [Client.Enqueue], and an [*UnreadableError] if payload is not a job.
func (c *Client) EnqueuePayload(ctx context.Context, queue string, payload []byte) (Receipt, error) {
	r, err := ParsePayload(queue, payload)
	if err != nil {
		return Receipt{}, err
	}
	job := Job{Queue: queue, Class: r.Class}
	if err := job.validate(); err != nil {
		return Receipt{}, err
	}
	if c.cfg.Inline != nil {
		return c.performInline(ctx, queue, payload)
	}
	if err := c.store.Push(ctx, queue, payload); err != nil {
		return Receipt{}, enqueueError(job, err)
	}
	return Receipt{State: Queued, Queue: queue}, nil
}
