package store

// WaitingPushes is how many pushes wait for others to be answered.
func WaitingPushes(s *Store) int {
	s.pushes.mu.Lock()
	defer s.pushes.mu.Unlock()
	return len(s.pushes.waiting)
}

// PushFlights is how many round trips of pushes are on their way.
func PushFlights(s *Store) int {
	s.pushes.mu.Lock()
	defer s.pushes.mu.Unlock()
	return s.pushes.flights
}
