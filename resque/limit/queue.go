package limit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// Queue is the limit of a queue. At least one of Concurrency and Rate must be set.
type Queue struct {
	// Concurrency is how many jobs of the queue run at once.
	//
	// Defaults to 0, which means no limit.
	Concurrency int64

	// Rate is how many jobs of the queue start in a period. The starts are spread over the
	// period: with PerMinute(60), one job starts each second.
	//
	// Defaults to the zero Rate, which means no limit.
	Rate Rate

	// Burst is how many jobs may start at once after a time without jobs. With 1, the
	// time until a worker takes a job that has become due is lost, so that slightly fewer
	// jobs start than the rate allows.
	//
	// Defaults to 1.
	Burst int64
}

// Validate returns all mistakes in q. Set calls it.
func (q Queue) Validate() error {
	return q.validate("a limit of 0 is not possible: pause the queue instead")
}

// validate returns all mistakes in q. hint is what to do if neither part of it is set.
func (q Queue) validate(hint string) error {
	var mistakes []error
	wrong := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	if q.Concurrency < 0 {
		wrong("Concurrency is %d; it must not be negative", q.Concurrency)
	}
	rated := q.Rate != Rate{}
	if rated {
		if err := q.Rate.validate(); err != nil {
			wrong("Rate: %w", err)
		}
	}
	switch {
	case q.Burst < 0 || q.Burst > maxBurst:
		wrong("Burst is %d; it must be from 0 to %d", q.Burst, maxBurst)
	case q.Burst > 0 && !rated:
		wrong("Burst without Rate")
	case q.Concurrency == 0 && !rated:
		wrong("neither Concurrency nor Rate is set (%s)", hint)
	}
	return errors.Join(mistakes...)
}

// String returns a description of q, such as "5 at once, 100/min, burst 10".
func (q Queue) String() string {
	var parts []string
	if q.Concurrency > 0 {
		parts = append(parts, fmt.Sprintf("%d at once", q.Concurrency))
	}
	if q.Rate.Jobs > 0 {
		parts = append(parts, q.Rate.String())
	}
	if q.Burst > 1 {
		parts = append(parts, fmt.Sprintf("burst %d", q.Burst))
	}
	return strings.Join(parts, ", ")
}

// State is the limit of a queue and what is used of it.
type State struct {
	Queue   string
	Limit   Queue
	Running int64         // jobs of Go workers that count
	Waiting int64         // jobs in the queue
	Next    time.Duration // until the rate allows the next job; 0 if that is now
	Err     error         // why the limit is not applied: it, or its state in Redis, is damaged
}

// Set limits a queue, for all Go workers. It replaces the limit that the queue had. Jobs
// that run already count. If there are more of them than Concurrency, they continue, and
// no job starts until enough of them have ended.
func Set(ctx context.Context, client *resque.Client, queue string, limit Queue) error {
	if err := errors.Join(validName(queue), limit.Validate()); err != nil {
		return fmt.Errorf("limit: queue %q: %w", queue, err)
	}
	to, err := storeOf(client)
	if err != nil {
		return err
	}
	err = to.SetLimit(ctx, queue, limitOf(limit.Concurrency, limit.Rate, limit.Burst))
	if err != nil {
		return fmt.Errorf("limit: %w", err)
	}
	return nil
}

func limitOf(concurrency int64, rate Rate, burst int64) store.Limit {
	return store.Limit{Concurrency: concurrency, Rate: rate.Jobs, Per: rate.Per.Milliseconds(), Burst: burst}
}

// Clear removes the limit of a queue. It reports whether there was one.
func Clear(ctx context.Context, client *resque.Client, queue string) (existed bool, err error) {
	to, err := storeOf(client)
	if err != nil {
		return false, err
	}
	existed, err = to.ClearLimit(ctx, queue)
	if err != nil {
		return false, fmt.Errorf("limit: %w", err)
	}
	return existed, nil
}

// Get returns the limit of a queue. ok is false if it has none.
func Get(ctx context.Context, client *resque.Client, queue string) (s State, ok bool, err error) {
	all, err := List(ctx, client)
	for _, s := range all {
		if s.Queue == queue {
			return s, true, nil
		}
	}
	return State{}, false, err
}

// List returns the limits of all queues, sorted by queue. A limit that is damaged has an
// error.
func List(ctx context.Context, client *resque.Client) ([]State, error) {
	to, err := storeOf(client)
	if err != nil {
		return nil, err
	}
	states, err := to.Limits(ctx)
	if err != nil {
		return nil, fmt.Errorf("limit: %w", err)
	}
	all := make([]State, len(states))
	for i, s := range states {
		all[i] = State{
			Queue: s.Queue, Running: s.Running, Waiting: s.Waiting, Next: s.Next, Err: s.Err,
			Limit: Queue{Concurrency: s.Limit.Concurrency, Rate: Rate{s.Limit.Rate, time.Duration(s.Limit.Per) * time.Millisecond}, Burst: s.Limit.Burst},
		}
	}
	return all, nil
}

func storeOf(client *resque.Client) (*store.Store, error) {
	if client == nil || client.Redis() == nil {
		return nil, errors.New("limit: limits need a client with a Redis")
	}
	return store.New(client.Redis()), nil
}

func validName(queue string) error {
	switch {
	case queue == "":
		return errors.New("the name of the queue is empty")
	case !utf8.ValidString(queue):
		return errors.New("the name of the queue is not valid UTF-8")
	}
	return nil
}
