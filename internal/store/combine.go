package store

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

// maxTrips is how many round trips there may be at once before further pushes wait
// and share one. pushJobs and pushBytes limit a shared round trip.
const (
	maxTrips  = 2
	pushJobs  = 512
	pushBytes = 1 << 20
)

// combiner lets concurrent pushes share round trips. A push that finds fewer than
// maxTrips round trips is sent alone and at once. The others wait until a round trip
// ends and are then sent together. There are two round trips at a time so that a
// caller whose push has just been answered need not wait for a whole round trip of
// other callers before its next push is sent.
type combiner struct {
	send func(batch []*push) // sends a batch in one round trip and sets the results

	mu      sync.Mutex
	trips   int
	waiting []*push
}

// push is one payload to push. It is sent once.
type push struct {
	job     Delayed         // of a push to a queue, only Queue and Payload
	ctx     context.Context //nolint:containedctx // of the caller, which waits
	delayed bool            // a result: whether the job is delayed
	with    *Pushing        // the job with what policies write; nil if none do
	pushed  Pushed          // the result of a push with policies
	err     error           // the result
	next    chan bool       // if it waits: true means lead the next round trip, false that err is set
}

// combine sends p, alone or together with other pushes, and returns the result.
func (c *combiner) combine(p *push) error {
	if c.start(p) {
		c.send([]*push{p})
		c.finish()
		return p.err
	}
	select {
	case lead := <-p.next:
		if !lead {
			return p.err
		}
	case <-p.ctx.Done():
		if c.remove(p) {
			return &NotSentError{p.ctx.Err()}
		}
		select {
		case lead := <-p.next:
			if !lead {
				return p.err
			}
		default: // it was sent, and its result is not known
			return p.ctx.Err()
		}
	}
	if err := p.ctx.Err(); err != nil { // another push leads
		c.finish()
		return &NotSentError{err}
	}
	runtime.Gosched() // callers that have just been answered may push again
	batch := c.gather(p)
	c.send(batch)
	for _, other := range batch[1:] {
		other.next <- false
	}
	c.finish()
	return p.err
}

// begin begins a round trip, which finish ends, and returns true. It returns false if
// there are enough.
func (c *combiner) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.beginLocked()
}

func (c *combiner) beginLocked() bool {
	if c.trips >= maxTrips {
		return false
	}
	c.trips++
	return true
}

// start reports whether p must be sent at once. Otherwise p waits.
func (c *combiner) start(p *push) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.beginLocked() {
		return true
	}
	p.next = make(chan bool, 1)
	c.waiting = append(c.waiting, p)
	return false
}

// remove removes a push that waits. It returns false if the push was sent or must
// lead a round trip.
func (c *combiner) remove(p *push) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.Index(c.waiting, p)
	if at >= 0 {
		c.waiting = slices.Delete(c.waiting, at, at+1)
	}
	return at >= 0
}

// gather returns the pushes of the round trip that p leads, p first.
func (c *combiner) gather(p *push) []*push {
	c.mu.Lock()
	defer c.mu.Unlock()
	batch, size := []*push{p}, len(p.job.Payload)
	for len(c.waiting) > 0 && len(batch) < pushJobs && size < pushBytes {
		next := c.waiting[0]
		c.waiting = c.waiting[1:]
		if err := next.ctx.Err(); err != nil {
			next.err = &NotSentError{err}
			next.next <- false
			continue
		}
		batch, size = append(batch, next), size+len(next.job.Payload)
	}
	return batch
}

// finish ends a round trip. If pushes wait, the one with the latest deadline leads
// the next round trip. Its context bounds the round trip; the other callers can stop
// waiting earlier.
func (c *combiner) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		c.trips--
		return
	}
	lead := 0
	for i, p := range c.waiting[1:] {
		if deadline(p).After(deadline(c.waiting[lead])) {
			lead = i + 1
		}
	}
	next := c.waiting[lead]
	c.waiting = slices.Delete(c.waiting, lead, lead+1)
	next.next <- true
}

// deadline returns the time until which a push can wait.
func deadline(p *push) time.Time {
	if deadline, ok := p.ctx.Deadline(); ok {
		return deadline
	}
	return time.Unix(1<<40, 0)
}

// sendPushes sends a batch in one round trip and sets the result of each push. All
// payloads of a queue are in one command, in their order.
func (s *Store) sendPushes(batch []*push) {
	batches := make([]Batch, 0, 1)
	place := make(map[string]int, 1) // indexes of batches, by queue
	for _, p := range batch {
		at, ok := place[p.job.Queue]
		if !ok {
			at = len(batches)
			place[p.job.Queue] = at
			batches = append(batches, Batch{Queue: p.job.Queue})
		}
		batches[at].Payloads = append(batches[at].Payloads, p.job.Payload)
	}
	errs := s.pushAll(batch[0].ctx, batches)
	for _, p := range batch {
		p.err = errs[place[p.job.Queue]]
	}
}
