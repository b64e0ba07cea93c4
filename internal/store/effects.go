package store

import "time"

// Processed counts a job that ended, whichever way.
//
// Ruby: Resque::Worker#processed!.
func (s *Store) Processed(worker string) []Effect {
	return []Effect{s.incr("processed"), s.incr("processed:" + worker)}
}

// FailedCount counts a job whose perform raised.
//
// Ruby: Resque::Worker#failed!.
func (s *Store) FailedCount(worker string) []Effect {
	return []Effect{s.incr("failed"), s.incr("failed:" + worker)}
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
		{command: "INCR", key: key},
		{command: "PEXPIRE", key: key, args: []any{memory.Milliseconds()}},
	}
}

func (s *Store) incr(stat string) Effect {
	return Effect{command: "INCRBY", key: s.keys.stat(stat), args: []any{1}}
}
