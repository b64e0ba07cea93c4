package resque

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/store"
)

// Config is how a client behaves. The zero value is Resque's own behaviour.
type Config struct {
	// Inline, where it is set, performs each job at once in the caller's
	// goroutine instead of enqueueing it, and touches no Redis: for tests, and
	// for places without one. The job goes through its JSON on the way, and has
	// its class's time limit. Its error is Enqueue's, after its failure hooks.
	//
	// Ruby: Resque.inline.
	Inline Handler

	// JSON is whose spelling the jobs have in the queue. Defaults to JSONPlain.
	JSON JSONProfile

	// EnqueueHooks are around every job that is enqueued, and DequeueHooks around
	// every Dequeue, the first outermost, those of a definition inside of them.
	EnqueueHooks []EnqueueMiddleware
	DequeueHooks []DequeueMiddleware
}

// Client enqueues jobs, and reads and changes what is in the queues. It is safe
// for concurrent use and has no goroutines.
type Client struct {
	rdb   *Redis
	store *store.Store
	cfg   Config
}

// New returns a client of rdb. With cfg.Inline set, rdb may be nil.
func New(rdb *Redis, cfg Config) (*Client, error) {
	_, err := cfg.JSON.spelling()
	if slices.ContainsFunc(cfg.EnqueueHooks, func(m EnqueueMiddleware) bool { return m == nil }) {
		err = errors.Join(err, errors.New("resque: Config.EnqueueHooks has a nil hook"))
	}
	if slices.ContainsFunc(cfg.DequeueHooks, func(m DequeueMiddleware) bool { return m == nil }) {
		err = errors.Join(err, errors.New("resque: Config.DequeueHooks has a nil hook"))
	}
	if err != nil {
		return nil, err
	}
	cfg.EnqueueHooks, cfg.DequeueHooks = slices.Clone(cfg.EnqueueHooks), slices.Clone(cfg.DequeueHooks)
	if rdb == nil {
		if cfg.Inline == nil {
			return nil, errors.New("resque: a client needs a Redis (see Open) unless its jobs are inline")
		}
		return &Client{store: store.New(nowhere{}), cfg: cfg}, nil
	}
	return &Client{rdb: rdb, store: store.New(rdb), cfg: cfg}, nil
}

// Redis is where the client's connections come from: for workers, dashboards
// and plugins. nil for an inline client without one.
func (c *Client) Redis() *Redis { return c.rdb }

// Close closes the connections that are not in use.
func (c *Client) Close() error {
	if c.rdb == nil {
		return nil
	}
	return c.rdb.Close()
}

// Enqueue places job at the end of its queue and returns when Redis has answered.
// It never tries twice. If the error wraps [ErrMaybeQueued], the job may be in the
// queue; with any other error it is not, unless the receipt says so: then the error
// is that of an [AfterEnqueue] hook.
//
// Ruby: Resque.enqueue.
func (c *Client) Enqueue(ctx context.Context, job Job) (Receipt, error) {
	return c.enqueueBy(ctx, job, c.enqueue)
}

// EnqueueFront places job at the front of its queue: it is the next one to be
// performed. Otherwise it is like [Client.Enqueue].
//
// Ruby: Resque.enqueue_front, which Resque 3.0.0 has but ignores.
func (c *Client) EnqueueFront(ctx context.Context, job Job) (Receipt, error) {
	return c.enqueueBy(ctx, job, func(ctx context.Context, job Job) (Receipt, error) {
		return c.pushJob(ctx, job, c.store.PushFront)
	})
}

// EnqueueTo places job at the end of queue instead of its class's queue.
//
// Ruby: Resque.enqueue_to.
func (c *Client) EnqueueTo(ctx context.Context, queue string, job Job) (Receipt, error) {
	return c.Enqueue(ctx, job.To(queue))
}

// ErrMaybeQueued is wrapped by the error of [Client.Enqueue] if the job may be in
// the queue: the connection broke after the job was sent.
var ErrMaybeQueued = errors.New("it is not known whether the job was queued")

func (c *Client) enqueue(ctx context.Context, job Job) (Receipt, error) {
	return c.pushJob(ctx, job, c.store.Push)
}

// pushJob is what hooks are around.
//
// Ruby: Resque::Job.create.
func (c *Client) pushJob(ctx context.Context, job Job, push func(context.Context, string, []byte) error) (Receipt, error) {
	if err := job.validate(); err != nil {
		return Receipt{}, err
	}
	payload, err := c.appendPayload(nil, job)
	if err != nil {
		return Receipt{}, err
	}
	if c.cfg.Inline != nil {
		return c.performInline(ctx, job.Queue, payload)
	}
	if err := push(ctx, job.Queue, payload); err != nil {
		return Receipt{}, enqueueError(job, err)
	}
	return Receipt{State: Queued, Queue: job.Queue}, nil
}

func enqueueError(job Job, err error) error {
	return fmt.Errorf("resque: enqueueing %s: %w", job.Class, maybeQueued(err))
}

// maybeQueued adds ErrMaybeQueued to an error of a push unless it is certain that
// nothing was queued.
func maybeQueued(err error) error {
	var notSent *store.NotSentError
	if errors.As(err, &notSent) || store.Refused(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrMaybeQueued, err)
}

// nowhere is where an inline client's Redis would be.
type nowhere struct{}

func (nowhere) Conn(context.Context) (redis.Conn, error) {
	return nil, errors.New("resque: this client is inline and has no Redis")
}

func (nowhere) Key(parts ...string) string { return strings.Join(parts, ":") }

// performInline performs a payload as a worker would, in this goroutine, with the
// route's failure hooks. A job that a hook keeps from being performed counts as
// performed.
//
// Ruby: Resque::Job.create with Resque.inline?, which raises what perform raised.
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
	err = FailureHooks(WithPayload(context.WithoutCancel(ctx), job), c.cfg.Inline, job, err)
	return Receipt{}, fmt.Errorf("resque: performing %s inline: %w", job.Class, err)
}

// performInTime performs a job under its class's time limit, as a worker does.
func (c *Client) performInTime(ctx context.Context, job *Payload) error {
	route := routeOf(c.cfg.Inline, job.Class)
	if route.Timeout <= 0 {
		return Perform(ctx, c.cfg.Inline, job)
	}
	timeout := &TimeoutError{Class: job.Class, After: route.Timeout}
	ctx, cancel := context.WithTimeoutCause(ctx, route.Timeout, timeout)
	defer cancel()
	err := Perform(ctx, c.cfg.Inline, job)
	if err != nil && context.Cause(ctx) == error(timeout) && errors.Is(err, ctx.Err()) { //nolint:errorlint // it is ours or it is not
		return timeout
	}
	return err
}

// EnqueuePayload places payload at the end of queue as it is: for a payload that
// came from a queue and goes back with some of its bytes replaced. Members that
// others have added stay in it. Errors are those of [Client.Enqueue], and an
// [*UnreadableError] if payload is not a job.
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
