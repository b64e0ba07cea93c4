package worker

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// ErrNoQueues is returned by New for a worker without a queue.
//
// Ruby: Resque::NoQueueError of Resque::Worker#validate_queues.
var ErrNoQueues = errors.New("worker: give each worker at least one queue")

// Config is how a worker works. Only Queues must be given.
type Config struct {
	// Queues are the names of the queues to work, the first with a job wins.
	// A name with *, ?, [ or ] is a pattern for all known queues, taken in
	// alphabetical order, new ones included while the worker runs; one that
	// begins with ! keeps queues out of the patterns.
	//
	// Ruby: Resque::Worker#queues.
	Queues []string

	// Concurrency is how many jobs run at once, each in a slot that other
	// Resque programs see as a worker of its own.
	//
	// Defaults to 1.
	Concurrency int

	// PollInterval is how long an idle worker waits before it looks again.
	//
	// Defaults to 5 seconds, as in Resque.
	PollInterval time.Duration

	// UntilEmpty ends Run once no job is waiting.
	//
	// Ruby: an INTERVAL of 0.
	UntilEmpty bool

	// HeartbeatInterval is how often the worker says that it is alive.
	//
	// Defaults to 60 seconds, as in Resque.
	HeartbeatInterval time.Duration

	// Logger gets one line a job and one for each change of state.
	//
	// Defaults to slog.Default().
	Logger *slog.Logger
}

// withDefaults returns c with its gaps filled, or all its mistakes.
func (c Config) withDefaults() (Config, error) {
	var mistakes []error
	c.Queues = slices.Clone(c.Queues)
	for i, q := range c.Queues {
		c.Queues[i] = strings.TrimSpace(q)
	}
	c.Queues = slices.DeleteFunc(c.Queues, func(q string) bool { return q == "" })
	if !slices.ContainsFunc(c.Queues, func(q string) bool { return q[0] != '!' }) {
		mistakes = append(mistakes, ErrNoQueues)
	}
	if c.Concurrency < 0 {
		mistakes = append(mistakes, fmt.Errorf("worker: Concurrency is %d; it must be at least 1", c.Concurrency))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"PollInterval", c.PollInterval}, {"HeartbeatInterval", c.HeartbeatInterval}} {
		if d.value < 0 {
			mistakes = append(mistakes, fmt.Errorf("worker: %s is %v; it must not be negative", d.name, d.value))
		}
	}
	c.Concurrency = cmp.Or(c.Concurrency, 1)
	c.PollInterval = cmp.Or(c.PollInterval, 5*time.Second)
	c.HeartbeatInterval = cmp.Or(c.HeartbeatInterval, time.Minute)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c, errors.Join(mistakes...)
}
