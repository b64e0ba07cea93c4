package exchange

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/store"
)

// limitedBackend is a backend whose queue has jobs of which its limit allows none.
type limitedBackend struct {
	*script
	wait time.Duration
	frees,
	opens time.Duration // after which a check frees a place, and after which a job is given

	mu     sync.Mutex
	begun  time.Time
	checks []time.Duration
	given  time.Duration
}

func (b *limitedBackend) Exchange(_ context.Context, _ []string, _ []store.Outcome, free []store.Slot) (x store.Exchanged, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	since := time.Since(b.begun)
	if since >= b.opens && b.given == 0 && len(free) > 0 {
		b.given = since
		x.Reserved = []store.Reserved{{Worker: free[0].Worker, Queue: "a", Payload: []byte("{}")}}
		return x, nil
	}
	x.Denied = []store.Denied{{Queue: "a", Wait: b.wait}}
	if b.wait > 0 {
		x.Denied[0].Wait = b.opens - since
	}
	return x, nil
}

func (b *limitedBackend) FreeDead(context.Context, string) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	since := time.Since(b.begun)
	b.checks = append(b.checks, since)
	if since >= b.frees {
		b.opens = 0
		return 1, nil
	}
	return 0, nil
}

// A slot that a limit keeps from taking a job looks again when the rate allows it, or
// when a place is freed, and not at the next poll.
func TestDeniedSlotsLookAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		backend *limitedBackend
		given   time.Duration
		checks  int
	}{
		"when the rate allows it": {&limitedBackend{wait: 1, opens: 7 * time.Second}, 7 * time.Second, 0},
		"when a place is freed":   {&limitedBackend{wait: -1, frees: 12 * time.Second, opens: time.Hour}, 15 * time.Second, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := c.backend
				b.script, b.begun = newScript(), time.Now()
				x := newExchange(b, Config{Queues: []string{"a"}, PollInterval: time.Hour, MaxWaiting: -1})
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() {
					defer close(done)
					x.Run(ctx)
				}()
				_, ok := x.Next(ctx, "w", nil)
				assert.True(t, ok)
				assert.Equal(t, c.given, b.given)
				assert.Len(t, b.checks, c.checks)
				stop()
				<-done
			})
		})
	}
}
