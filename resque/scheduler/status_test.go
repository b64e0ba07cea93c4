package scheduler_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

func TestReadStatus(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *redistest.Server, c rdb) {
		client := s.Client(t)
		read := func() scheduler.Status {
			t.Helper()
			status, err := scheduler.ReadStatus(t.Context(), client, "")
			require.NoError(t, err)
			return status
		}
		now := c.now(t).Unix()
		none := read()
		assert.Equal(t, scheduler.Status{Now: none.Now}, none)

		c.do(t, "SET", lock, "localhost:4242")
		c.delay(t, now-100, mail1, mail2)
		ruby := read()
		assert.Equal(t, "localhost", ruby.Host)
		assert.Equal(t, 4242, ruby.PID)
		assert.False(t, ruby.Go)
		assert.GreaterOrEqual(t, ruby.Overdue, 100*time.Second)
		assert.Equal(t, now-100, ruby.Next.Unix())

		c.do(t, "DEL", lock)
		r := start(t, s, scheduler.Config{})
		until(t, "the jobs are moved", func() bool { return read().Moved == 2 })
		ours := read()
		assert.True(t, ours.Go)
		assert.Equal(t, r.State().Holder, ours.Master)
		assert.NotZero(t, ours.PID)
		assert.WithinDuration(t, ours.Now, ours.Since, patience)
		assert.GreaterOrEqual(t, ours.Lateness, 100*time.Second)
		assert.Less(t, ours.Lateness, 100*time.Second+patience)
		assert.Zero(t, ours.Next)
		c.do(t, "SET", lock, "another")
		assert.Zero(t, read().Moved, "what our master wrote is not about another")
	})
}

func TestReadStatusReportsWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	rdb{s.Conn(t)}.do(t, "SET", "resque:delayed_queue_schedule", "text")
	_, err := scheduler.ReadStatus(t.Context(), s.Client(t), "")
	require.ErrorContains(t, err, "WRONGTYPE")
	fault, ok := resque.Explain(err)
	assert.True(t, ok)
	assert.Equal(t, resque.FaultType, fault.Code)
}
