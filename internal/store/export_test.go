package store

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
