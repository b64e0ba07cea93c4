package store

import (
	"crypto/sha256"
	"encoding/hex"
)

// keys builds each key in one place, named after the Ruby method that owns it.
type keys struct{ rdb Redis }

// queues is the set of queue names. Ruby: Resque::DataStore::QueueAccess#queue_names.
func (k keys) queues() string { return k.rdb.Key("queues") }

// queue is a queue's list. Ruby: QueueAccess#redis_key_for_queue.
func (k keys) queue(name string) string { return k.rdb.Key("queue", name) }

// failed is a list of failures: the one of all queues, which Failed names, or
// one that failedQueues has. Ruby: FailedQueueAccess#push_to_failed_queue.
func (k keys) failed(list string) string { return k.rdb.Key(list) }

// failedQueues is the set of names of the queues' lists of failures.
// Ruby: FailedQueueAccess#add_failed_queue.
func (k keys) failedQueues() string { return k.rdb.Key("failed_queues") }

// trash keeps failures that were removed until they expire. It is ours.
func (k keys) trash(token string) string { return k.rdb.Key("goresque:trash", token) }

// trashIndex has the tokens of the trashes by when they were filled. It is ours.
func (k keys) trashIndex() string { return k.rdb.Key("goresque:trashes") }

// workers is the set of worker ids. Ruby: WorkerAccess#worker_ids.
func (k keys) workers() string { return k.rdb.Key("workers") }

// worker holds what a worker is doing. Ruby: WorkerAccess#redis_key_for_worker.
func (k keys) worker(id string) string { return k.rdb.Key("worker", id) }

// started is when a worker began. Ruby: WorkerAccess#redis_key_for_worker_start_time.
func (k keys) started(id string) string { return k.rdb.Key("worker", id, "started") }

// heartbeats maps worker ids to when they were last heard. Ruby: WorkerAccess#heartbeat_key.
func (k keys) heartbeats() string { return k.rdb.Key("workers:heartbeat") }

// stat is a counter. Ruby: Resque::DataStore::StatsAccess.
func (k keys) stat(name string) string { return k.rdb.Key("stat", name) }

// pauseAll is "true" while no worker may take a job. Ruby: Resque::Worker#paused?.
func (k keys) pauseAll() string { return k.rdb.Key("pause-all-workers") }

// pauseQueue exists while a queue is paused: the resque-pause plugin's key.
func (k keys) pauseQueue(name string) string { return k.rdb.Key("pause:queue", name) }

// pauseEvery exists while every queue is paused: the resque-pause plugin's key.
func (k keys) pauseEvery() string { return k.rdb.Key("pause:all") }

// pruningLock is held by who prunes. Ruby: WorkerAccess#redis_key_for_worker_pruning.
func (k keys) pruningLock() string { return k.rdb.Key("pruning_dead_workers_in_progress") }

// crashes counts how often a payload's worker has died. It is ours.
func (k keys) crashes(payload []byte) string {
	sum := sha256.Sum256(payload)
	return k.rdb.Key("goresque:crashes", hex.EncodeToString(sum[:16]))
}
