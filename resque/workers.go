package resque

import (
	"context"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// RegisteredWorker is what Redis holds about a worker, Go's or Ruby's. A field that
// is missing in Redis or cannot be read has its zero value.
type RegisteredWorker struct {
	ID string

	// Host, PID, Slot and Queues are parts of the id. A Go process registers a worker
	// for each of its slots, and Slot distinguishes them.
	Host   string
	PID    int
	Slot   int
	Queues []string
	Go     bool // whether it is a goresque worker

	// Registered is false for a worker that has only a heartbeat left.
	Registered bool

	Started   time.Time
	Heartbeat time.Time
	Silence   time.Duration // time since the heartbeat, by Redis's clock

	// HeartbeatText is the heartbeat as written in Redis, even if it is not a time.
	// It is empty if there is no heartbeat.
	HeartbeatText string

	Processed int64 // finished jobs, including failed ones
	Failed    int64

	Working bool      // whether it is running a job
	Job     *Payload  // the running job, or nil
	RunAt   time.Time // when the worker took the job

	// JobSize is the length of the job's payload. If it is more than that of Job.Raw,
	// only the beginning was read because the jobs of many workers are large. Only
	// Worker, Queue, Class and Raw of Job are then set.
	JobSize int64

	// StartedText and RunAtText are Started and RunAt as written in Redis, even if
	// they are not times.
	StartedText, RunAtText string

	// Order is the order that the worker follows or is about to follow, or empty if it
	// takes none: see [Client.TellWorker]. Only [Client.Snapshot] sets it.
	Order WorkerOrder

	// Damage is the error that describes why the record of the running job cannot be
	// read, or nil. If it is not nil, Job.Raw is the whole record.
	Damage error
}

// State returns "working" if the worker is running a job, and "idle" otherwise.
//
// Ruby: Resque::Worker#state.
func (w RegisteredWorker) State() string {
	if w.Working {
		return "working"
	}
	return "idle"
}

// Workers returns the registered workers, sorted by id. It takes two round trips for
// any number of workers.
//
// Ruby: Resque.workers and Resque::Worker.all.
func (c *Client) Workers(ctx context.Context) ([]RegisteredWorker, error) {
	return c.workers(ctx, func(w store.WorkerState) bool { return w.Registered })
}

// Working returns the registered workers that are running a job, sorted by id.
//
// Ruby: Resque.working and Resque::Worker.working.
func (c *Client) Working(ctx context.Context) ([]RegisteredWorker, error) {
	return c.workers(ctx, func(w store.WorkerState) bool { return w.Registered && len(w.Record.Text) > 0 })
}

// SilentWorkers returns the workers whose heartbeat is older than limit. Ruby uses a
// limit of 5 minutes. The result includes workers that have only a heartbeat and are
// not registered. It does not include workers without a heartbeat, because some kinds
// of worker never have one.
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

// Worker returns the registered worker with that id; ok is false if there is none.
//
// Ruby: Resque::Worker.find.
func (c *Client) Worker(ctx context.Context, id string) (w RegisteredWorker, ok bool, err error) {
	workers, err := c.WorkersByID(ctx, id)
	if err != nil || !workers[0].Registered {
		return RegisteredWorker{}, false, err
	}
	return workers[0], true, nil
}

// WorkersByID returns the workers with these ids, in the same order, in one round
// trip. For an unknown worker only the fields that come from its id are set.
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

// WorkerExists reports whether a worker with that id is registered.
//
// Ruby: Resque::Worker.exists?.
func (c *Client) WorkerExists(ctx context.Context, id string) (bool, error) {
	return c.store.WorkerExists(ctx, id)
}

// Heartbeats returns the time of each worker's last heartbeat, by worker id and by
// Redis's clock. A heartbeat that cannot be read is the zero time.
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
		w.Job, w.JobSize = runningJob(record), record.Size
	}
	return w
}

// knownTime returns a time written by any implementation of Resque, or the zero time
// if it cannot be read.
func knownTime(text string) time.Time {
	at, _ := wire.ParseTime(text)
	return at.Time
}

// runningJob returns the job of a worker's record. Its Raw is set even if the record
// cannot be read.
func runningJob(record store.Record) *Payload {
	if record.Damage != nil {
		return &Payload{Worker: record.Worker, Raw: record.Text}
	}
	raw := record.Payload
	if int64(len(record.Raw)) < record.Size {
		raw = record.Raw
	}
	job := readBeginning(record.Queue, raw, max(record.Size, int64(len(raw))))
	job.Worker = record.Worker
	return job
}

// readWorkerID returns a worker with the fields that can be read from its id.
//
// Ruby: Resque::Worker.find, which raises there.
func readWorkerID(id string) RegisteredWorker {
	parts, _ := wire.ParseWorkerID(id)
	return RegisteredWorker{
		ID: id, Host: parts.Host, PID: parts.PID(), Slot: parts.Slot(), Queues: parts.Queues, Go: parts.Go,
	}
}
