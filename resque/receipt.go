package resque

// ReceiptState is what became of a job that was to be enqueued.
type ReceiptState string

// The states of a [Receipt]. More may be added: compare with the one you mean.
const (
	Queued    ReceiptState = "queued"    // the job is in its queue
	Performed ReceiptState = "performed" // an inline client performed it
	Vetoed    ReceiptState = "vetoed"    // a hook kept it from being enqueued
)

// Receipt says what became of a job that was to be enqueued. The zero Receipt is
// that of a job which was not enqueued because of an error.
type Receipt struct {
	State ReceiptState
	Queue string // the queue that the job was enqueued to, which a hook may have changed
}

// Enqueued reports whether the job was enqueued: it is in its queue or, with an
// inline client, was performed.
func (r Receipt) Enqueued() bool { return r.State == Queued || r.State == Performed }

// Receipts are those of several jobs, in their order.
type Receipts []Receipt

// Enqueued returns how many of the jobs were enqueued.
func (r Receipts) Enqueued() int {
	n := 0
	for _, receipt := range r {
		if receipt.Enqueued() {
			n++
		}
	}
	return n
}
