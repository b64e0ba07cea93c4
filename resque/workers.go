package resque

import (
	"context"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// RegisteredWorker is a worker as Redis knows it, Go's or Ruby's. What is missing
// there, or cannot be read, is left zero.
type RegisteredWorker struct {
	ID string

	// Host, PID and Queues are what the id says. A Go process with several slots
	// has a worker for each, which Slot tells apart.
	Host   string
	PID    int
	Slot   int
	Queues []string
	Go     bool // it is a worker of ours

	// Registered is false for one that has nothing left but a heartbeat.
	Registered bool

	Started   time.Time
	Heartbeat time.Time
	Silence   time.Duration // since the heartbeat, on Redis's clock

	// HeartbeatText is the heartbeat as it is written, readable or not; empty if
	// there is none.
	HeartbeatText string

	Processed int64 // jobs that have ended, those that failed included
	Failed    int64

	Working bool      // it has a job in hand
	Job     *Payload  // that job, or nil
	RunAt   time.Time // when it was taken

	// StartedText and RunAtText are those times as Redis has them, readable or not.
	StartedText, RunAtText string

	// Damage says why the record of the job in hand cannot be read; Job's payload
	// then holds its text.
	Damage error
}

// State is Ruby's word for what the worker does.
//
// Ruby: Resque::Worker#state.
func (w RegisteredWorker) State() string {
	if w.Working {
		return "working"
	}
	return "idle"
}

// Workers are the registered workers, sorted by their ids, in two round trips
// however many there are.
//
// Ruby: Resque.workers and Resque::Worker.all.
func (c *Client) Workers(ctx context.Context) ([]RegisteredWorker, error) {
	return c.workers(ctx, func(w store.WorkerState) bool { return w.Registered })
}

// Working are the workers that have a job in hand.
//
// Ruby: Resque.working and Resque::Worker.working.
func (c *Client) Working(ctx context.Context) ([]RegisteredWorker, error) {
	return c.workers(ctx, func(w store.WorkerState) bool { return w.Registered && len(w.Record.Text) > 0 })
}

// SilentWorkers are the workers whose heartbeat is older than limit, for which
// Ruby takes 5 minutes; also those that have a heartbeat and nothing else. A
// worker that has none is not among them, as it may be of a kind that never has.
//
// Ruby: Resque::Worker.all_workers_with_expired_heartbeats.
func (c *Client) SilentWorkers(ctx context.Context, limit time.Duration) ([]RegisteredWorker, error) {
	workers, err := c.workers(ctx, func(w store.WorkerState) bool { return w.Heartbeat != "" })
	return slices.DeleteFunc(workers, func(w RegisteredWorker) bool { return w.Silence <= limit }), err
}

func (c *Client) workers(ctx context.Context, wanted func(store.WorkerState) bool) ([]RegisteredWorker, error) {
	states, now, err := c.store.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	workers := make([]RegisteredWorker, 0, len(states))
	for _, state := range states {
		if wanted(state) {
			workers = append(workers, registeredWorker(state, now))
		}
	}
	return workers, nil
}

// Worker is the registered worker of that id; ok is false where there is none.
//
// Ruby: Resque::Worker.find.
func (c *Client) Worker(ctx context.Context, id string) (w RegisteredWorker, ok bool, err error) {
	workers, err := c.WorkersByID(ctx, id)
	if err != nil || !workers[0].Registered {
		return RegisteredWorker{}, false, err
	}
	return workers[0], true, nil
}

// WorkersByID returns the workers with these ids, in one round trip. One that is
// not known has only its id.
//
// Ruby: Resque::Worker.find, for each.
func (c *Client) WorkersByID(ctx context.Context, ids ...string) ([]RegisteredWorker, error) {
	states, now, err := c.store.WorkerStates(ctx, ids)
	if err != nil {
		return nil, err
	}
	workers := make([]RegisteredWorker, len(states))
	for i, state := range states {
		workers[i] = registeredWorker(state, now)
	}
	return workers, nil
}

// WorkerExists tells whether a worker of that id is registered.
//
// Ruby: Resque::Worker.exists?.
func (c *Client) WorkerExists(ctx context.Context, id string) (bool, error) {
	return c.store.WorkerExists(ctx, id)
}

// Heartbeats are when workers were last heard, by id, on Redis's clock. One that
// cannot be read is the zero time.
//
// Ruby: Resque::Worker.all_heartbeats.
func (c *Client) Heartbeats(ctx context.Context) (map[string]time.Time, error) {
	texts, _, err := c.store.Heartbeats(ctx)
	if err != nil {
		return nil, err
	}
	beats := make(map[string]time.Time, len(texts))
	for id, text := range texts {
		beats[id] = knownTime(text)
	}
	return beats, nil
}

func registeredWorker(s store.WorkerState, now time.Time) RegisteredWorker {
	w := readWorkerID(s.ID)
	w.Started, w.StartedText = knownTime(s.Started), s.Started
	w.Heartbeat, w.HeartbeatText = knownTime(s.Heartbeat), s.Heartbeat
	w.Processed, w.Failed = s.Processed, s.Failed
	w.Registered = s.Registered
	if !w.Heartbeat.IsZero() {
		w.Silence = max(now.Sub(w.Heartbeat), 0)
	}
	if record := s.Record; len(record.Text) > 0 {
		w.Working, w.Damage = true, record.Damage
		w.RunAt, w.RunAtText = knownTime(record.RunAt), record.RunAt
		w.Job = inHand(record)
	}
	return w
}

// knownTime returns a time that any implementation has written, and zero if it
// cannot be read.
func knownTime(text string) time.Time {
	at, _ := wire.ParseTime(text)
	return at.Time
}

// inHand is the job of a record. Whatever stands there, it has a payload.
func inHand(record store.Record) *Payload {
	if record.Damage != nil {
		return &Payload{Worker: record.Worker, Raw: record.Text}
	}
	job, _ := readWaiting(record.Queue, record.Payload)
	job.Worker = record.Worker
	return job
}

// readWorkerID reads what a worker's id says, as far as it can be read.
//
// Ruby: Resque::Worker.find, which raises there.
func readWorkerID(id string) RegisteredWorker {
	parts, _ := wire.ParseWorkerID(id)
	return RegisteredWorker{
		ID: id, Host: parts.Host, PID: parts.PID(), Slot: parts.Slot(), Queues: parts.Queues, Go: parts.Go,
	}
}
