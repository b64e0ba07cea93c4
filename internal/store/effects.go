package store

import (
	"time"

	"github.com/goresque/goresque/internal/wire"
)

// Processed counts a job that ended, whether it failed or not. The result is shared
// and must not be changed.
//
// Ruby: Resque::Worker#processed!.
func (s *Store) Processed(worker string) []Effect {
	return s.workerArgs(worker).processed
}

// FailedCount counts a job that failed in perform.
//
// Ruby: Resque::Worker#failed!.
func (s *Store) FailedCount(worker string) []Effect {
	return []Effect{s.count("failed"), s.count("failed:" + worker)}
}

// Requeue puts a payload back at the front of its queue. It adds the queue's name
// again, because the queue may have been removed.
func (s *Store) Requeue(queue string, payload []byte) []Effect {
	return []Effect{
		{command: "SADD", key: s.keys.queues(), args: []any{queue}},
		{command: "LPUSH", key: s.keys.queue(queue), args: []any{payload}},
	}
}

// PutBack puts a payload at the end of its queue, for another worker.
func (s *Store) PutBack(queue string, payload []byte) []Effect {
	return []Effect{
		{command: "SADD", key: s.keys.queues(), args: []any{queue}},
		{command: "RPUSH", key: s.keys.queue(queue), args: []any{payload}},
	}
}

// Later delays a payload until a time on Redis's clock, or puts it at the end of its
// queue if at is the zero time. payload must be a JSON object. The sorted set and the set
// come first: to write them again, after an error of the list, changes nothing.
//
// Ruby: Resque::Scheduler::DelayingExtensions#delayed_push.
func (s *Store) Later(at time.Time, queue string, payload []byte) []Effect {
	if at.IsZero() {
		return s.PutBack(queue, payload)
	}
	second := at.Unix()
	delayed := wire.AppendDelayed(nil, payload, queue)
	return []Effect{
		{command: "ZADD", key: s.keys.delayedSchedule(), args: []any{second, second}},
		{command: "SADD", key: s.keys.timestamps(string(delayed)), args: []any{delayedList(second)}},
		{command: "RPUSH", key: s.keys.delayed(second), args: []any{delayed}},
	}
}

// Crashed counts that the worker of a payload died. The count expires after memory.
func (s *Store) Crashed(payload []byte, memory time.Duration) []Effect {
	key := s.keys.crashes(payload)
	return []Effect{
		{command: "INCR", key: key}, // not a counter: it must come before PEXPIRE
		{command: "PEXPIRE", key: key, args: []any{memory.Milliseconds()}},
	}
}

func (s *Store) count(stat string) Effect { return Effect{counter: true, key: s.keys.stat(stat)} }

// workerArgs has the arguments of one worker that every call repeats, with the types
// that redigo needs.
type workerArgs struct {
	id, record any
	processed  []Effect
}

// workerArgs returns the arguments of worker, which are made once.
func (s *Store) workerArgs(worker string) *workerArgs {
	if w, ok := s.known.Load(worker); ok {
		return w.(*workerArgs) //nolint:forcetypeassert // nothing else is in there
	}
	w := &workerArgs{id: worker, record: s.keys.worker(worker)}
	w.processed = []Effect{s.count("processed"), s.count("processed:" + worker)}
	w.processed = w.processed[:len(w.processed):len(w.processed)]
	s.known.Store(worker, w)
	return w
}
