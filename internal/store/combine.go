package store

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

// How many pushes may be on their way at once before others share a round trip,
// and how much one of those may carry.
const (
	pushFlights = 2
	pushJobs    = 512
	pushBytes   = 1 << 20
)

// combiner has pushes that come at the same time share round trips. One that
// comes while few are on their way goes at once and by itself. The others wait
// until one of those is answered and then go together. There are two flights,
// and not one, so that who has just been answered does not wait for a whole round
// trip of the others before its next push is sent.
type combiner struct {
	mu      sync.Mutex
	flights int
	waiting []*push
}

// push is one payload on its way. It is tried once.
type push struct {
	queue   string
	payload []byte
	ctx     context.Context //nolint:containedctx // the caller's, who waits
	err     error           // the answer
	turn    chan bool       // of one that waits: true, take off; false, err is there
}

// combine sends p, by itself or together with others, and returns the answer.
func (s *Store) combine(p *push) error {
	c := &s.pushes
	if c.enter(p) {
		s.fly([]*push{p})
		c.land()
		return p.err
	}
	select {
	case lead := <-p.turn:
		if !lead {
			return p.err
		}
	case <-p.ctx.Done():
		if c.withdraw(p) {
			return &NotSentError{p.ctx.Err()}
		}
		select {
		case lead := <-p.turn:
			if !lead {
				return p.err
			}
		default: // it was sent, and nobody knows
			return p.ctx.Err()
		}
	}
	if err := p.ctx.Err(); err != nil { // the next one leads
		c.land()
		return &NotSentError{err}
	}
	runtime.Gosched() // who has just been answered may have the next one
	batch := c.board(p)
	s.fly(batch)
	for _, other := range batch[1:] {
		other.turn <- false
	}
	c.land()
	return p.err
}

// enter returns true where p is to go at once.
func (c *combiner) enter(p *push) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights < pushFlights {
		c.flights++
		return true
	}
	p.turn = make(chan bool, 1)
	c.waiting = append(c.waiting, p)
	return false
}

// withdraw takes back one that was not sent. It fails where somebody has sent it,
// or where it is to send others.
func (c *combiner) withdraw(p *push) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.Index(c.waiting, p)
	if at >= 0 {
		c.waiting = slices.Delete(c.waiting, at, at+1)
	}
	return at >= 0
}

// board gathers what goes with p, which leads.
func (c *combiner) board(p *push) []*push {
	c.mu.Lock()
	defer c.mu.Unlock()
	batch, size := []*push{p}, len(p.payload)
	for len(c.waiting) > 0 && len(batch) < pushJobs && size < pushBytes {
		next := c.waiting[0]
		c.waiting = c.waiting[1:]
		if err := next.ctx.Err(); err != nil {
			next.err = &NotSentError{err}
			next.turn <- false
			continue
		}
		batch, size = append(batch, next), size+len(next.payload)
	}
	return batch
}

// land ends a flight and has the next one take off, where there is one. It is led
// by the most patient, whose context then bounds it: the others can leave.
func (c *combiner) land() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		c.flights--
		return
	}
	lead := 0
	for i, p := range c.waiting[1:] {
		if patience(p).After(patience(c.waiting[lead])) {
			lead = i + 1
		}
	}
	next := c.waiting[lead]
	c.waiting = slices.Delete(c.waiting, lead, lead+1)
	next.turn <- true
}

// patience is until when a push can wait.
func patience(p *push) time.Time {
	if deadline, ok := p.ctx.Deadline(); ok {
		return deadline
	}
	return time.Unix(1<<40, 0)
}

// fly sends a batch in one round trip and notes each one's answer. All of a
// queue's payloads go by one command, in their order.
func (s *Store) fly(batch []*push) {
	batches := make([]Batch, 0, 1)
	place := make(map[string]int, 1) // in batches, by queue
	for _, p := range batch {
		at, ok := place[p.queue]
		if !ok {
			at = len(batches)
			place[p.queue] = at
			batches = append(batches, Batch{Queue: p.queue})
		}
		batches[at].Payloads = append(batches[at].Payloads, p.payload)
	}
	errs := s.pushAll(batch[0].ctx, batches)
	for _, p := range batch {
		p.err = errs[place[p.queue]]
	}
}
