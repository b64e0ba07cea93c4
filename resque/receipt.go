package resque

import "time"

// ReceiptState is the result of enqueueing a job, as in [Receipt].
type ReceiptState string

// States of a [Receipt]. Later versions may add more, so compare with the state you
// mean instead of excluding the others.
const (
	Queued    ReceiptState = "queued"    // the job is in its queue
	Scheduled ReceiptState = "scheduled" // the job is delayed until it is due
	Performed ReceiptState = "performed" // an inline client performed it
	Vetoed    ReceiptState = "vetoed"    // a hook prevented it from being enqueued
	Duplicate ReceiptState = "duplicate" // an equal job is there already: see package unique
	Stored    ReceiptState = "stored"    // package outbox has stored it in a database; its relay enqueues it
)

// Receipt is the result of enqueueing one job. The zero Receipt belongs to a job that
// was not enqueued because of an error.
type Receipt struct {
	State ReceiptState
	Queue string // the job's queue, which a hook may have changed

	// Due is the time at which a scheduled job goes to its queue, in whole seconds. It
	// is the zero time if State is not Scheduled.
	Due time.Time
}

// Enqueued reports whether the job is in its queue, is delayed, or was performed by an
// inline client.
func (r Receipt) Enqueued() bool {
	return r.State == Queued || r.State == Scheduled || r.State == Performed
}

// Receipts are the receipts of several jobs, in the order of the jobs.
type Receipts []Receipt

// Duplicates returns the number of jobs that were refused because equal jobs are there.
func (r Receipts) Duplicates() int {
	n := 0
	for _, receipt := range r {
		if receipt.State == Duplicate {
			n++
		}
	}
	return n
}

// Enqueued returns the number of jobs that are in their queues, are delayed, or were
// performed.
func (r Receipts) Enqueued() int {
	n := 0
	for _, receipt := range r {
		if receipt.Enqueued() {
			n++
		}
	}
	return n
}
