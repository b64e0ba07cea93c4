// Package embedded runs a Redis inside the program, for demonstrations and
// tests: github.com/alicebob/miniredis, listening on loopback so that a shell or
// a Ruby can join in. It keeps everything in memory and is gone with the
// program; production wants a real Redis or Valkey.
package embedded

import (
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// Server is a running Redis. Close it when done.
type Server struct {
	redis *miniredis.Miniredis
	stop  chan struct{}
	clock sync.WaitGroup
	once  sync.Once
}

// Start runs a Redis on addr, such as "127.0.0.1:6379"; an empty addr means
// loopback and any free port.
func Start(addr string) (*Server, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	s := &Server{redis: miniredis.NewMiniRedis(), stop: make(chan struct{})}
	if err := s.redis.StartAddr(addr); err != nil {
		return nil, fmt.Errorf("starting the embedded Redis on %s: %w", addr, err)
	}
	s.clock.Go(s.expire)
	return s, nil
}

// Addr is the server's host and port.
func (s *Server) Addr() string { return s.redis.Addr() }

// URL is the server's address as Open takes it.
func (s *Server) URL() string { return "redis://" + s.redis.Addr() }

// Close stops the server and cuts its connections. Closing twice does nothing.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.stop)
		s.clock.Wait()
		s.redis.Close()
	})
}

// expire lets keys age: miniredis does not watch the clock by itself.
func (s *Server) expire() {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C: // a busy machine drops some
			now := time.Now()
			s.redis.FastForward(now.Sub(last))
			last = now
		}
	}
}
