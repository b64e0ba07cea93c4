package worker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

// moody is a backend that answers each attempt to track with the next error.
type moody struct {
	answers  []string
	attempts atomic.Int64
	blocked  atomic.Int64
}

func (m *moody) NewWatch(context.Context) (*store.Watch, error) {
	n := m.attempts.Add(1)
	return nil, redis.Error(m.answers[n-1])
}

func (m *moody) AwaitJob(ctx context.Context, _ string, _ time.Duration) (bool, error) {
	m.blocked.Add(1)
	<-ctx.Done()
	return false, ctx.Err()
}

// A server that is busy for a moment is asked again; one that cannot track is
// not, and each queue gets a blocking move.
func TestWaiterGivesUpAStrategyForGoodReasonsOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg, err := Config{Queues: []string{"a", "b"}, Logger: slog.New(slog.DiscardHandler)}.withDefaults()
		require.NoError(t, err)
		x := newExchange(nil, away(cfg.Logger), cfg)
		x.moment.idle, x.moment.names = true, cfg.Queues
		m := &moody{answers: []string{
			"BUSY Redis is busy running a script.", "ERR max number of clients reached",
			"LOADING Redis is loading the dataset in memory", "ERR unknown subcommand 'TRACKING'",
		}}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			waitForJobs(ctx, m, x, cfg)
		}()
		<-time.After(time.Minute)
		synctest.Wait()
		assert.EqualValues(t, 4, m.attempts.Load())
		assert.EqualValues(t, 2, m.blocked.Load())
		stop()
		<-done
	})
}
