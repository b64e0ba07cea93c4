package web

import "slices"

// The rights that Access.Deny takes from who has the level Write.
const (
	RightRetry   = "retry"   // retry failures as they were
	RightEdit    = "edit"    // retry them elsewhere or with other arguments, move jobs
	RightRemove  = "remove"  // remove failures and jobs that are named, and bring back what was removed
	RightBulk    = "bulk"    // act on all that match, clear and remove queues
	RightPause   = "pause"   // pause queues and workers
	RightWorkers = "workers" // prune workers
)

// May tells whether somebody has a right.
func (a Access) May(right string) bool {
	return a.Level >= Write && !slices.Contains(a.Deny, right)
}

// May tells whether the reader has a right: what they may not do has no button.
func (p page) May(right string) bool { return p.access.May(right) }
