package status

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/goresque/goresque/resque"
)

// DefaultExpiry is how long a status is kept after its last change, unless the class has
// another [ExpireIn].
const DefaultExpiry = 24 * time.Hour

// ExpireIn returns a setting for [Define]: how long a status is kept after its last change.
// If d is negative, statuses are kept until they are cleared, as the plugin does by default.
// d must not be 0.
//
// Ruby: Resque::Plugins::Status::Hash.expire_in.
func ExpireIn(d time.Duration) resque.Setting { return expireIn(d) }

type expireIn time.Duration

// Apply implements [resque.Setting] for classes that are not defined with Define.
func (expireIn) Apply(*resque.Settings) error {
	return errors.New("status.ExpireIn is a setting of status.Define")
}

// Definition defines a job with a status and options of type O, which are a hash in Ruby.
// Create it with [Define].
type Definition[O any] struct {
	job    resque.Definition2[string, O]
	policy *policyOf
}

// Define defines a job with a status. It is like [resque.Define1]. In Ruby, the class
// includes Resque::Plugins::Status. It panics if class or queue is empty or a setting is
// invalid.
func Define[O any](class, queue string, settings ...resque.Setting) Definition[O] {
	p := &policyOf{class: class, expiry: DefaultExpiry}
	var others []resque.Setting
	for _, s := range settings {
		e, ok := s.(expireIn)
		switch {
		case ok && e == 0:
			panic(fmt.Sprintf("status: class %q: ExpireIn must not be 0 (a negative duration keeps statuses for ever)", class))
		case ok:
			p.expiry = max(time.Duration(e), 0)
		default:
			others = append(others, s)
		}
	}
	return Definition[O]{resque.Define2[string, O](class, queue, append(others, p)...), p}
}

// Class returns the name of the job's class in Ruby.
func (d Definition[O]) Class() string { return d.job.Class() }

// Queue returns the queue of the jobs that the definition makes.
func (d Definition[O]) Queue() string { return d.job.Queue() }

// Job returns a job to enqueue with a new uuid. Use it with [resque.Job.In] or
// [resque.Client.EnqueueAll]; [ID] returns its uuid. Enqueueing it twice gives two jobs
// with one status.
func (d Definition[O]) Job(options O) resque.Job { return d.job.Job(newID(), options) }

// Enqueue enqueues a job and returns its uuid. The uuid is empty if a hook vetoed the job.
//
// Ruby: Resque::Plugins::Status.create.
func (d Definition[O]) Enqueue(ctx context.Context, c *resque.Client, options O) (id string, err error) {
	return d.EnqueueTo(ctx, c, d.Queue(), options)
}

// EnqueueTo is like Enqueue, with another queue.
//
// Ruby: Resque::Plugins::Status.enqueue_to.
func (d Definition[O]) EnqueueTo(ctx context.Context, c *resque.Client, queue string, options O) (id string, err error) {
	job := d.Job(options)
	receipt, err := c.Enqueue(ctx, job.To(queue))
	if !receipt.Enqueued() {
		return "", err
	}
	id, _ = ID(job)
	return id, err
}

// ID returns the uuid of a job that [Definition.Job] has made.
func ID(job resque.Job) (id string, ok bool) {
	if len(job.Args) != 2 {
		return "", false
	}
	id, ok = job.Args[0].(string)
	return id, ok
}

// Handler returns a route that performs the class's jobs with fn, for [resque.Mux.Handle].
//
// Ruby: Resque::Plugins::Status#perform.
func (d Definition[O]) Handler(fn func(ctx context.Context, p *Progress, options O) error) resque.Route {
	var perform resque.HandlerFunc
	if fn != nil {
		perform = func(ctx context.Context, job *resque.Payload) error {
			var options O
			if raw := optionsOf(job.Args); raw != nil {
				if err := (&resque.Payload{Class: job.Class, Args: raw}).Bind(&options); err != nil {
					return err
				}
			}
			p := d.policy.progress(ctx, job)
			defer p.stop()
			if err := fn(ctx, p, options); err != nil {
				return err
			}
			return p.finish(ctx)
		}
	}
	route := d.job.UncheckedHandler(perform)
	route.Check = func(job *resque.Payload) error { return job.Bind(new(string), new(O)) }
	return route
}

func newID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// Dequeue removes the waiting job with a uuid, which must still have its status, from the
// definition's queue. It returns how many jobs it removed. The status stays; see [Clear].
//
// Ruby: Resque::Plugins::Status.dequeue.
func (d Definition[O]) Dequeue(ctx context.Context, c *resque.Client, id string) (removed int64, err error) {
	s, ok, err := Get(ctx, c, id)
	if err != nil || !ok || s.Options == nil {
		return 0, err
	}
	removed, _, err = c.Dequeue(ctx, d.job.UncheckedJob(id, s.Options))
	return removed, err
}
