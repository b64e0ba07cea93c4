// Package embedded runs a Redis server inside the program, for demonstrations and tests.
// The server is github.com/alicebob/miniredis. It listens on loopback, so that other
// processes can use it, and keeps all data in memory. In production use Redis or Valkey.
package embedded

import (
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// Server is a running Redis server. The caller must call Close.
type Server struct {
	redis *miniredis.Miniredis
	stop  chan struct{}
	clock sync.WaitGroup
	once  sync.Once
}

// Start starts a server on addr, such as "127.0.0.1:6379". An empty addr means a free
// port on loopback.
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

// Addr returns the host and port of the server.
func (s *Server) Addr() string { return s.redis.Addr() }

// URL returns the address of the server, for resque.Open.
func (s *Server) URL() string { return "redis://" + s.redis.Addr() }

// Close stops the server and closes its connections. A second call does nothing.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.stop)
		s.clock.Wait()
		s.redis.Close()
	})
}

// expire advances the clock of miniredis, which does not expire keys by itself.
func (s *Server) expire() {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C: // a slow machine may drop ticks
			now := time.Now()
			s.redis.FastForward(now.Sub(last))
			last = now
		}
	}
}
