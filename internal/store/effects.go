package store

import "time"

// Processed counts a job that ended, whichever way.
//
// The result is shared and must not be changed.
//
// Ruby: Resque::Worker#processed!.
func (s *Store) Processed(worker string) []Effect {
	return s.words(worker).processed
}

// FailedCount counts a job whose perform raised.
//
// Ruby: Resque::Worker#failed!.
func (s *Store) FailedCount(worker string) []Effect {
	return []Effect{s.count("failed"), s.count("failed:" + worker)}
}

// Requeue puts a payload back at the front of its queue, which may have been
// removed meanwhile and so is made known again.
func (s *Store) Requeue(queue string, payload []byte) []Effect {
	return []Effect{
		{command: "SADD", key: s.keys.queues(), args: []any{queue}},
		{command: "LPUSH", key: s.keys.queue(queue), args: []any{payload}},
	}
}

// PutBack puts a payload at the end of its queue, for somebody else.
func (s *Store) PutBack(queue string, payload []byte) []Effect {
	return []Effect{
		{command: "SADD", key: s.keys.queues(), args: []any{queue}},
		{command: "RPUSH", key: s.keys.queue(queue), args: []any{payload}},
	}
}

// Crashed counts that a payload's worker died, for as long as memory lasts.
func (s *Store) Crashed(payload []byte, memory time.Duration) []Effect {
	key := s.keys.crashes(payload)
	return []Effect{
		{command: "INCR", key: key}, // no counter: it needs the expiry
		{command: "PEXPIRE", key: key, args: []any{memory.Milliseconds()}},
	}
}

func (s *Store) count(stat string) Effect { return Effect{counter: true, key: s.keys.stat(stat)} }

// words are what the calls of one worker say over and over, as redigo takes it.
type words struct {
	id, record any
	processed  []Effect
}

// words are worker's, made once.
func (s *Store) words(worker string) *words {
	if w, ok := s.known.Load(worker); ok {
		return w.(*words) //nolint:forcetypeassert // nothing else is in there
	}
	w := &words{id: worker, record: s.keys.worker(worker)}
	w.processed = []Effect{s.count("processed"), s.count("processed:" + worker)}
	w.processed = w.processed[:len(w.processed):len(w.processed)]
	s.known.Store(worker, w)
	return w
}
