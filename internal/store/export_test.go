package store

import "context"

// WaitingPushes returns how many pushes wait for a round trip.
func WaitingPushes(s *Store) int {
	s.pushes.mu.Lock()
	defer s.pushes.mu.Unlock()
	return len(s.pushes.waiting)
}

// PushTrips returns how many round trips of pushes are in progress.
func PushTrips(s *Store) int {
	s.pushes.mu.Lock()
	defer s.pushes.mu.Unlock()
	return s.pushes.trips
}

// Gathered returns how many waiting pushes of these sizes share the round trip that
// the first one leads.
func Gathered(sizes ...int) int {
	var c combiner
	for _, size := range sizes {
		c.waiting = append(c.waiting, &push{ctx: context.Background(), job: Delayed{Payload: make([]byte, size)}})
	}
	lead := c.waiting[0]
	c.waiting = c.waiting[1:]
	return len(c.gather(lead))
}
