package store

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// keys builds the keys. Each method names the Ruby method that owns its key.
type keys struct{ rdb Redis }

// queues is the key of the set of queue names.
// Ruby: Resque::DataStore::QueueAccess#queue_names.
func (k keys) queues() string { return k.rdb.Key("queues") }

// queue is the key of a queue's list. Ruby: QueueAccess#redis_key_for_queue.
func (k keys) queue(name string) string { return k.rdb.Key("queue", name) }

// failed is the key of a list of failures: Failed, the list of all queues, or one of
// the names in failedQueues. Ruby: FailedQueueAccess#push_to_failed_queue.
func (k keys) failed(list string) string { return k.rdb.Key(list) }

// failedQueues is the key of the set of names of the queues' failure lists.
// Ruby: FailedQueueAccess#add_failed_queue.
func (k keys) failedQueues() string { return k.rdb.Key("failed_queues") }

// trash is the key of a list of removed failures or jobs, which expires. Ruby has no
// such key.
func (k keys) trash(token string) string { return k.rdb.Key("goresque:trash", token) }

// trashIndex is the key of the sorted set of the trashes' tokens, by the time they
// were filled. Ruby has no such key.
func (k keys) trashIndex() string { return k.rdb.Key("goresque:trashes") }

// workers is the key of the set of worker ids. Ruby: WorkerAccess#worker_ids.
func (k keys) workers() string { return k.rdb.Key("workers") }

// worker is the key of a worker's record. Ruby: WorkerAccess#redis_key_for_worker.
func (k keys) worker(id string) string { return k.rdb.Key("worker", id) }

// started is the key of the time at which a worker began.
// Ruby: WorkerAccess#redis_key_for_worker_start_time.
func (k keys) started(id string) string { return k.rdb.Key("worker", id, "started") }

// heartbeats is the key of the hash of worker ids to their last heartbeats.
// Ruby: WorkerAccess#heartbeat_key.
func (k keys) heartbeats() string { return k.rdb.Key("workers:heartbeat") }

// intervals is the key of the hash of worker ids to the intervals of their workers, if
// they are not the default ones. Ruby has no such key.
func (k keys) intervals() string { return k.rdb.Key("goresque:intervals") }

// stat is the key of a counter. Ruby: Resque::DataStore::StatsAccess.
func (k keys) stat(name string) string { return k.rdb.Key("stat", name) }

// pauseAll is the key that is "true" while all workers are paused.
// Ruby: Resque::Worker#paused?.
func (k keys) pauseAll() string { return k.rdb.Key("pause-all-workers") }

// pauseQueue is the key that exists while a queue is paused, of the resque-pause
// plugin.
func (k keys) pauseQueue(name string) string { return k.rdb.Key("pause:queue", name) }

// pauseEvery is the key that exists while every queue is paused, of the resque-pause
// plugin.
func (k keys) pauseEvery() string { return k.rdb.Key("pause:all") }

// pruningLock is the key of the lock that a process holds while it prunes.
// Ruby: WorkerAccess#redis_key_for_worker_pruning.
func (k keys) pruningLock() string { return k.rdb.Key("pruning_dead_workers_in_progress") }

// delayedSchedule is the key of the sorted set of the Unix seconds that have delayed
// jobs. Ruby: Resque::Scheduler::DelayingExtensions#delayed_push.
func (k keys) delayedSchedule() string { return k.rdb.Key("delayed_queue_schedule") }

// delayed is the key of the list of the jobs that are due at a Unix second.
// Ruby: DelayingExtensions#delayed_push.
func (k keys) delayed(second int64) string { return k.rdb.Key(delayedList(second)) }

// delayedList is the name of a list of delayed jobs, without the namespace.
func delayedList(second int64) string { return delayedPrefix + strconv.FormatInt(second, 10) }

// delayedPrefix is what precedes the second. The key delayed:last_enqueued_at also
// begins with it.
const delayedPrefix = "delayed:"

// delayedMember is the key of the list that a member of delayedSchedule names. The
// member is a second, unless another program wrote something else.
func (k keys) delayedMember(member string) string { return k.rdb.Key(delayedPrefix + member) }

// timestamps is the key of the set of the lists in which a delayed payload is, without
// the namespace. Ruby: DelayingExtensions#delayed_push.
func (k keys) timestamps(payload string) string { return k.rdb.Key("timestamps", payload) }

// lastEnqueuedAt is the key of the hash of the names of recurring entries to the times
// at which they fired. Ruby: Resque::Scheduler::DelayingExtensions#last_enqueued_at.
func (k keys) lastEnqueuedAt() string { return k.rdb.Key("delayed:last_enqueued_at") }

// persistentSchedules is the key of the hash of the names of recurring entries to their
// configurations. Ruby: Resque::Scheduler::SchedulingExtensions#persist_schedule.
func (k keys) persistentSchedules() string { return k.rdb.Key("persistent_schedules") }

// schedulesChanged is the key of the set of the names of recurring entries that were set
// or removed. Ruby: SchedulingExtensions#set_schedule.
func (k keys) schedulesChanged() string { return k.rdb.Key("schedules_changed") }

// schedule is the key of the hash of the recurring entries that the master runs, for
// viewers. Ruby has no such key.
func (k keys) schedule() string { return k.rdb.Key("goresque:schedule") }

// scheduleSlots is the key of the hash of the names of recurring entries to the last
// scheduled time at which each fired. Ruby has no such key.
func (k keys) scheduleSlots() string { return k.rdb.Key("goresque:schedule:slots") }

// scheduleOff is the key of the set of the names of recurring entries that are switched
// off. Ruby has no such key.
func (k keys) scheduleOff() string { return k.rdb.Key("goresque:schedule:off") }

// master is the key of the lock that the scheduler holds that is master. The namespace
// is in it twice. A prefix keeps the schedulers of several applications apart.
// Ruby: Resque::Scheduler::Lock::Base#initialize, by Locking#master_lock_key.
func (k keys) master(prefix string) string {
	name := "resque_scheduler_master_lock"
	if prefix != "" {
		name = prefix + ":" + name
	}
	return k.rdb.Key(k.rdb.Key(name))
}

// scheduler is the key of the hash that describes the master, if it is a Go scheduler.
// Ruby has no such key.
func (k keys) scheduler() string { return k.rdb.Key("goresque:scheduler") }

// attempts is the key of the number of the last attempt of a job that failed. id may be
// empty. Ruby: Resque::Plugins::Retry#redis_retry_key.
func (k keys) attempts(class, id string) string { return k.rdb.Key(attemptsName(class, id)) }

// lastFailure is the key of the failure of the last attempt. Ruby:
// Resque::Failure::MultipleWithRetrySuppression#failure_key.
func (k keys) lastFailure(class, id string) string {
	return k.rdb.Key("failure-" + attemptsName(class, id))
}

// attemptsName has no white space, as in Ruby.
func attemptsName(class, id string) string {
	name := "resque-retry:" + class
	if id != "" {
		name += ":" + id
	}
	if !strings.ContainsAny(name, rubySpace) {
		return name
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(rubySpace, r) {
			return -1
		}
		return r
	}, name)
}

// rubySpace is what \s matches in a regular expression of Ruby.
const rubySpace = " \t\r\n\f\v"

// batch is the key of the hash of a batch. With a part it is that of one of its strings
// of bits: see batchBits. Ruby has no such keys.
func (k keys) batch(id string, part ...string) string {
	if len(part) > 0 {
		return k.rdb.Key("goresque:batch", id, part[0])
	}
	return k.rdb.Key("goresque:batch", id)
}

// batches is the key of the sorted set of the ids of batches, by the time in ms at which
// they expire; inf if that is not known. Ruby has no such key.
func (k keys) batches() string { return k.rdb.Key("goresque:batches") }

// limits is the key of the hash of queues to their limits. Ruby has no such key.
func (k keys) limits() string { return k.rdb.Key("goresque:limits") }

// held is the key of the hash of worker ids to the guards of the jobs that run by a
// limit. Ruby has no such key.
func (k keys) held(limit string) string { return k.rdb.Key("goresque:held", limit) }

// rate is the key of the state of a limit's rate. Ruby has no such key.
func (k keys) rate(limit string) string { return k.rdb.Key("goresque:rate", limit) }

// parked is the key of the list of the notes of delayed jobs that wait for a limit: the
// second and the digest of each. Ruby has no such key.
func (k keys) parked(limit string) string { return k.rdb.Key("goresque:parked", limit) }

// limitPause is the key that exists while a limit gives no places. Ruby has no such key.
func (k keys) limitPause(limit string) string { return k.rdb.Key("goresque:wait", limit) }

// queueLimit is the name of the limit of a queue, for held and rate.
func queueLimit(queue string) string { return "q:" + queue }

// status is the key of the status of a job. Ruby: Resque::Plugins::Status::Hash.status_key.
func (k keys) status(uuid string) string { return k.rdb.Key("status", uuid) }

// statuses is the key of the sorted set of the jobs that have a status, by the second in
// which it was created. Ruby: Resque::Plugins::Status::Hash.set_key.
func (k keys) statuses() string { return k.rdb.Key("_statuses") }

// orders is the key of the hash of the ids of workers that take orders to their orders. Ruby
// has no such key.
func (k keys) orders() string { return k.rdb.Key("goresque:orders") }

// kill is the key of the set of the jobs to kill. Ruby:
// Resque::Plugins::Status::Hash.kill_key.
func (k keys) kill() string { return k.rdb.Key("_kill") }

// replicas is a key that is written so that replicas have something to acknowledge.
func (k keys) replicas() string { return k.rdb.Key("goresque:replicas") }

// cancel is the key of the hash of worker ids to the beginnings of the records of the jobs
// to cancel. Ruby has no such key.
func (k keys) cancel() string { return k.rdb.Key("goresque:cancel") }

// cursor is the key of the position of a resumable job. Ruby has no such key.
func (k keys) cursor(payload []byte) string { return k.rdb.Key("goresque:cursor", Digest(payload)) }

// crashes is the key of the number of times that the worker of a payload died. Ruby
// has no such key.
func (k keys) crashes(payload []byte) string {
	sum := sha256.Sum256(payload)
	return k.rdb.Key("goresque:crashes", hex.EncodeToString(sum[:16]))
}

// metrics is the key of what was measured of the jobs of each class, in the minute, hour
// or day that begins at a time. Ruby has no such key.
func (k keys) metrics(at string) string { return k.rdb.Key("goresque:metrics", at) }

// counters is the key of the counters that were kept in a day or a month. Ruby has no such
// key.
func (k keys) counters(at string) string { return k.rdb.Key("goresque:metrics:counters", at) }
