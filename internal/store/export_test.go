package store

// WaitingPushes is how many pushes wait for others to be answered.
func WaitingPushes(s *Store) int {
	s.pushes.mu.Lock()
	defer s.pushes.mu.Unlock()
	return len(s.pushes.waiting)
}
