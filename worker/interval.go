package worker

import "time"

// interval is the wait between two looks of an idle worker: the least after a
// job, and a little longer with each look that finds nothing.
//
// Ruby: Resque::Worker#work with min_interval, max_interval, backoff_interval.
type interval struct {
	now, least, most, backoff time.Duration
}

// next is the wait before the next look; the one before it found nothing.
func (i *interval) next() time.Duration {
	i.now = min(i.now+i.backoff, i.most)
	return i.now
}

// found begins again: there was a job.
func (i *interval) found() { i.now = i.least }
