package store

import (
	"crypto/md5" //nolint:gosec // the plugin's digest
	"encoding/hex"
	"encoding/json"
)

// lock is the key of the lock of jobs with arguments that inspect returned.
// Ruby: Resque::Plugins::Lock#lock.
func (k keys) lock(class, inspected string) string { return k.rdb.Key("lock", class+"-"+inspected) }

// runLock is the key of the lock of performed jobs with joined arguments.
// Ruby: Resque::Plugins::LockTimeout#redis_lock_key.
func (k keys) runLock(class, joined string) string { return k.rdb.Key("lock", class, joined) }

// lonerLock is the key of the lock of queued jobs with joined arguments.
// Ruby: Resque::Plugins::LockTimeout#redis_loner_lock_key.
func (k keys) lonerLock(class, joined string) string {
	return k.rdb.Key("loner:lock", class, joined)
}

// loner is the key of the mark of a queued job, which job describes in JSON.
// Ruby: Resque::Plugins::Loner::Helpers.unique_job_queue_key.
func (k keys) loner(queue string, job []byte) string {
	sum := md5.Sum(job) //nolint:gosec // the plugin's digest
	return k.rdb.Key("loners:queue", queue, "job", hex.EncodeToString(sum[:]))
}

// uniqueness is the key of a lock of jobs that job describes in JSON, and the name under
// which the lock is in the set of all such locks. state is queueing or performing.
// Ruby: Resque::Plugins::Uniqueness's redis_key of each lock.
func (k keys) uniqueness(state string, job []byte) (key, name string) {
	name = state + ":resque_uniqueness:" + string(job)
	return k.rdb.Key(name), name
}

// uniquenessIndex is the key of the set of all locks of a state.
// Ruby: Resque::Plugins::Uniqueness::REDIS_KEY_PREFIX with all_locks.
func (k keys) uniquenessIndex(state string) string {
	return k.rdb.Key("resque_uniqueness", state, "all_locks")
}

// begun is the key that notes that the lock of a job was freed when the job began. token is
// that of the job, see policy.Token.
func (k keys) begun(token string) string { return k.rdb.Key("goresque:begun", token) }

// Begun returns the key that notes that the lock of a job was freed when the job began.
func (s *Store) Begun(token string) string { return s.keys.begun(token) }

// ResqueLock returns the key of a lock of the plugin resque-lock.
func (s *Store) ResqueLock(class string, args []json.RawMessage) string {
	return s.keys.lock(class, string(s.inspect.AppendInspected(nil, args)))
}

// LockTimeout returns the keys of the locks of the plugin resque-lock-timeout: that of a
// performed job, and that of a queued job.
func (s *Store) LockTimeout(class string, args []json.RawMessage) (performed, queued string) {
	joined := string(s.inspect.AppendJoined(nil, args, "-"))
	return s.keys.runLock(class, joined), s.keys.lonerLock(class, joined)
}

// Loner returns the key of the mark of the plugin resque-loner.
func (s *Store) Loner(queue string, job []byte) string { return s.keys.loner(queue, job) }

// The states of a lock of the plugin resque-uniqueness.
const (
	Queueing   = "queueing"
	Performing = "performing"
)

// Uniqueness returns the key of a lock of the plugin resque-uniqueness, the key of the set
// of all such locks, and the lock's member in it.
func (s *Store) Uniqueness(state string, job []byte) (key, index, member string) {
	key, member = s.keys.uniqueness(state, job)
	return key, s.keys.uniquenessIndex(state), member
}
