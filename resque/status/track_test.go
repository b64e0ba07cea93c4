package status_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/status"
	"github.com/goresque/goresque/worker"
)

// A job of any class has a status while it runs and after its end. Its payload is that of a
// class without one. Each attempt begins with a new status.
func TestPolicyGivesAnyClassAStatus(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c, conn := s.Client(t), s.Conn(t)
		d := resque.Define1[int64]("Exporter", "exports", status.Policy{})
		var ids []string
		result := errors.New("out of paper")
		mux := muxOf(d.Handler(func(ctx context.Context, _ int64) error {
			p, ok := status.FromContext(ctx)
			require.True(t, ok)
			ids = append(ids, p.ID())
			job, _ := resque.FromContext(ctx)
			made, ok := status.JobID(job)
			assert.True(t, ok)
			assert.Equal(t, p.ID(), made)
			begun, _, err := status.Get(ctx, c, p.ID())
			require.NoError(t, err)
			assert.Equal(t, status.Working, begun.State)
			assert.Equal(t, "Exporter(42)", begun.Name)
			assert.Zero(t, begun.Total)
			assert.Empty(t, begun.Message)
			require.NoError(t, status.At(ctx, 3, 4, "row 3"))
			return result
		}))
		w, err := worker.New(c, mux, worker.Config{Queues: []string{"exports"}, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		perform := func() status.Status {
			_, err := c.Enqueue(t.Context(), d.Job(42))
			require.NoError(t, err)
			waiting, err := redis.Strings(conn.Do("LRANGE", "resque:queue:exports", 0, -1))
			require.NoError(t, err)
			assert.Equal(t, []string{`{"class":"Exporter","args":[42]}`}, waiting)
			require.NoError(t, w.WorkOff(t.Context()))
			got, ok, err := status.Get(t.Context(), c, ids[len(ids)-1])
			require.NoError(t, err)
			require.True(t, ok)
			return got
		}
		got := perform()
		assert.Equal(t, status.Failed, got.State)
		assert.Contains(t, got.Message, "out of paper")
		result = nil
		got = perform()
		assert.Equal(t, status.Completed, got.State)
		assert.InDelta(t, 3, got.Num, 0, "the progress is written before the end")
		listed, all, err := status.List(t.Context(), c, 0, 10)
		require.NoError(t, err)
		assert.Equal(t, []int64{1, 1}, []int64{int64(len(listed)), all}, "the same worker performed the same job")
		left, err := redis.Int(conn.Do("TTL", "resque:status:"+ids[0]))
		require.NoError(t, err)
		assert.InDelta(t, status.DefaultExpiry.Seconds(), left, 120)
	})
}

// A job that goes back to its queue leaves no status, a killed one says so, and the job of a
// dead worker has failed.
func TestPolicyAtOtherEnds(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c, conn := s.Client(t), s.Conn(t)
	d := resque.Define1[int64]("Exporter", "exports", status.Policy{ExpireIn: -1})
	begun := make(chan string)
	mux := muxOf(d.Handler(func(ctx context.Context, id int64) error {
		p, _ := status.FromContext(ctx)
		begun <- p.ID()
		if id == 1 {
			return resque.Snooze(time.Hour)
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}))
	run(t, c, mux, worker.Config{})
	_, err := c.Enqueue(t.Context(), d.Job(1))
	require.NoError(t, err)
	returned := <-begun
	_, err = c.Enqueue(t.Context(), d.Job(2))
	require.NoError(t, err)
	killed := <-begun
	_, ok, err := status.Get(t.Context(), c, returned)
	require.NoError(t, err)
	assert.False(t, ok)
	ok, err = status.Kill(t.Context(), c, killed)
	require.NoError(t, err)
	assert.True(t, ok)
	await(t, c, killed, status.Killed)
	assert.Zero(t, failed(t, conn))

	const dead = "gone~go:1:exports"
	payload := `{"class":"Exporter","args":[3]}`
	for _, words := range [][]any{{"SADD", "resque:workers", dead}, {"SET", "resque:worker:" + dead, `{"queue":"exports","run_at":"2026-01-01T00:00:00.000000001Z","payload":` + payload + `}`}} {
		_, err := conn.Do(words[0].(string), words[1:]...)
		require.NoError(t, err)
	}
	_, err = c.Prune(t.Context(), dead, resque.PruneOptions{Force: true, Handler: mux, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	id, ok := status.JobID(&resque.Payload{Worker: dead, Raw: []byte(payload)})
	require.True(t, ok)
	await(t, c, id, status.Failed)
}

func TestPolicyWithoutAWorkerOrTwice(t *testing.T) {
	t.Parallel()
	_, ok := status.FromContext(t.Context())
	assert.False(t, ok)
	require.NoError(t, status.At(t.Context(), 1, 2, "x"))
	_, ok = status.JobID(&resque.Payload{Raw: []byte("{}")})
	assert.False(t, ok)
	assert.Panics(t, func() { status.Define[export]("X", "q", status.Policy{}) }, "it has a status already")
	assert.Panics(t, func() { resque.Define0("X", "q", status.Policy{ExpireIn: time.Millisecond}) })
}
