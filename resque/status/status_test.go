package status_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/resque/status"
	"github.com/goresque/goresque/worker"
)

type export struct {
	ID int `json:"id"`
}

// run runs a worker until the test ends.
func run(t *testing.T, c *resque.Client, mux *resque.Mux, cfg worker.Config) {
	t.Helper()
	cfg.Queues, cfg.Logger = []string{"exports"}, slog.New(slog.NewTextHandler(t.Output(), nil))
	w, err := worker.New(c, mux, cfg)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
	})
}

// await waits until a job has a state.
func await(t *testing.T, c *resque.Client, id string, state status.State) status.Status {
	t.Helper()
	var last status.Status
	require.Eventually(t, func() bool {
		s, ok, err := status.Get(t.Context(), c, id)
		last = s
		return err == nil && ok && s.State == state
	}, time.Minute, 5*time.Millisecond, "it is not %s", state)
	return last
}

func muxOf(routes ...resque.Route) *resque.Mux {
	mux := resque.NewMux()
	for _, r := range routes {
		mux.Handle(r)
	}
	return mux
}

func failed(t *testing.T, c redis.Conn) int {
	t.Helper()
	n, err := redis.Int(c.Do("LLEN", "resque:failed"))
	require.NoError(t, err)
	return n
}

// A running job that is killed learns of it by its context, whether the worker is told by
// Redis or polls. It has not failed and is not retried.
func TestKillEndsARunningJob(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]worker.Config{"tracking": {}, "polling": {MaxWaiting: -1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t)
			c, conn := s.Client(t), s.Conn(t)
			d := status.Define[export]("Export", "exports", retry.Policy{Limit: 5})
			causes := make(chan error, 1)
			run(t, c, muxOf(d.Handler(func(ctx context.Context, p *status.Progress, _ export) error {
				if err := p.At(ctx, 1, 2, "half"); err != nil {
					return err
				}
				<-ctx.Done()
				causes <- context.Cause(ctx)
				return fmt.Errorf("exporting: %w", ctx.Err())
			})), cfg)
			id, err := d.Enqueue(t.Context(), c, export{1})
			require.NoError(t, err)
			await(t, c, id, status.Working)
			ok, err := status.Kill(t.Context(), c, id)
			require.NoError(t, err)
			assert.True(t, ok)
			assert.Equal(t, resque.ErrKilled, <-causes)
			got := await(t, c, id, status.Killed)
			assert.Regexp(t, `^Killed at \d{4}-`, got.Message)
			assert.Zero(t, failed(t, conn))
			left, err := redis.Int(conn.Do("EXISTS", "resque:_kill", "resque:resque-retry:Export"))
			require.NoError(t, err)
			assert.Zero(t, left)
			processed, err := redis.Int(conn.Do("GET", "resque:stat:processed"))
			require.NoError(t, err)
			assert.Equal(t, 1, processed)
			ok, err = status.Kill(t.Context(), c, id)
			require.NoError(t, err)
			assert.False(t, ok, "it has ended")
		})
	}
}

// A waiting job that is killed is not performed.
func TestKillOfAWaitingJob(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c, conn := s.Client(t), s.Conn(t)
		d := status.Define[export]("Export", "exports")
		killed, err := d.Enqueue(t.Context(), c, export{1})
		require.NoError(t, err)
		other, err := d.Enqueue(t.Context(), c, export{2})
		require.NoError(t, err)
		ok, err := status.Kill(t.Context(), c, killed)
		require.NoError(t, err)
		assert.True(t, ok)
		run(t, c, muxOf(d.Handler(func(_ context.Context, p *status.Progress, o export) error {
			assert.Equal(t, 2, o.ID)
			assert.Equal(t, other, p.ID())
			return nil
		})), worker.Config{})
		await(t, c, other, status.Completed)
		got := await(t, c, killed, status.Killed)
		assert.JSONEq(t, `{"id":1}`, string(got.Options))
		assert.Zero(t, failed(t, conn))
		n, err := redis.Int(conn.Do("EXISTS", "resque:_kill"))
		require.NoError(t, err)
		assert.Zero(t, n)
	})
}

// The process that prunes a dead worker writes that its job has failed, and keeps what the
// job has reported.
func TestPruneWritesThatTheJobHasFailed(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c, conn := s.Client(t), s.Conn(t)
		d := status.Define[export]("Export", "exports")
		id, err := d.Enqueue(t.Context(), c, export{1})
		require.NoError(t, err)
		payload, err := redis.String(conn.Do("LPOP", "resque:queue:exports"))
		require.NoError(t, err)
		const dead = "elsewhere~go:1:exports"
		for _, command := range [][]any{
			{"SADD", "resque:workers", dead},
			{"SET", "resque:worker:" + dead, `{"queue":"exports","run_at":"2026-01-15T12:34:56.000000001Z","payload":` + payload + `}`},
			{"SET", "resque:status:" + id, `{"time":1,"status":"working","uuid":"` + id + `","options":{"id":[{"a\"}":"]"}],"status":"x"} , "num":3,"total":4,"message":"row 3"}`},
		} {
			_, err := conn.Do(command[0].(string), command[1:]...)
			require.NoError(t, err)
		}
		mux := muxOf(d.Handler(func(context.Context, *status.Progress, export) error { return nil }))
		_, err = c.Prune(t.Context(), dead, resque.PruneOptions{Handler: mux})
		require.NoError(t, err)
		got := await(t, c, id, status.Failed)
		assert.Equal(t, 75, got.Percent())
		assert.Contains(t, got.Message, "The task failed because of an error: ")
		assert.JSONEq(t, `{"id":[{"a\"}":"]"}],"status":"x"}`, string(got.Options))
		assert.Equal(t, 1, failed(t, conn))
	})
}

// Progress is written at most every 250 ms, and the last of it is never lost.
func TestProgressIsWrittenRarely(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c, conn := s.Client(t), s.Conn(t)
	d := status.Define[export]("Export", "exports")
	calls := func() (n int) {
		info, err := redis.String(conn.Do("INFO", "commandstats"))
		require.NoError(t, err)
		for _, command := range []string{"evalsha", "eval"} {
			if _, after, ok := strings.Cut(info, "cmdstat_"+command+":calls="); ok {
				var some int
				_, err := fmt.Sscanf(after, "%d", &some)
				require.NoError(t, err)
				n += some
			}
		}
		return n
	}
	var wrote, most int
	id, err := d.Enqueue(t.Context(), c, export{1})
	require.NoError(t, err)
	mux := muxOf(d.Handler(func(ctx context.Context, p *status.Progress, _ export) error {
		before, began := calls(), time.Now()
		for i := range 1000 {
			if err := p.At(ctx, i+1, 1000, "row"); err != nil {
				return err
			}
		}
		wrote, most = calls()-before, int(time.Since(began)/(250*time.Millisecond))+2 // one is sent twice: the script is not loaded
		return nil
	}))
	w, err := worker.New(c, mux, worker.Config{Queues: []string{"exports"}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, w.WorkOff(t.Context()))
	assert.LessOrEqual(t, wrote, most)
	got := await(t, c, id, status.Completed)
	assert.InDelta(t, 1000, got.Num, 0)
}

// What waits to be written is written although the handler reports nothing more.
func TestProgressIsWrittenLater(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Client(t)
	d := status.Define[export]("Export", "exports")
	seen := make(chan struct{})
	run(t, c, muxOf(d.Handler(func(ctx context.Context, p *status.Progress, _ export) error {
		if err := errors.Join(p.At(ctx, 1, 3, "one"), p.At(ctx, 2, 3, "two")); err != nil {
			return err
		}
		select {
		case <-seen:
		case <-ctx.Done():
		}
		return nil
	})), worker.Config{})
	id, err := d.Enqueue(t.Context(), c, export{1})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		got, _, err := status.Get(t.Context(), c, id)
		return err == nil && got.Num == 2 && got.Message == "two"
	}, time.Minute, 5*time.Millisecond)
	close(seen)
	await(t, c, id, status.Completed)
}

// A job that failed and is retried is working again, and then completed. A job that another
// program has pushed with only its options is performed.
func TestStatusOfRetriedAndForeignJobs(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c, conn := s.Client(t), s.Conn(t)
		d := status.Define[export]("Export", "exports", retry.Policy{Limit: 1})
		attempts := 0
		mux := muxOf(d.Handler(func(_ context.Context, _ *status.Progress, o export) error {
			if attempts++; attempts == 1 {
				return errors.New("once")
			}
			assert.Contains(t, []int{1, 7}, o.ID)
			return nil
		}))
		id, err := d.Enqueue(t.Context(), c, export{1})
		require.NoError(t, err)
		_, err = conn.Do("RPUSH", "resque:queue:exports", `{"class":"Export","args":[{"id":7}]}`)
		require.NoError(t, err)
		w, err := worker.New(c, mux, worker.Config{Queues: []string{"exports"}, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		require.NoError(t, w.WorkOff(t.Context()))
		await(t, c, id, status.Completed)
		keys, err := redis.Strings(conn.Do("KEYS", "resque:status:*"))
		require.NoError(t, err)
		assert.Len(t, keys, 2, "the other job has a status, too")
		assert.Equal(t, 3, attempts)
	})
}

func TestDefineRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	assert.PanicsWithValue(t, `status: class "X": ExpireIn must not be 0 (a negative duration keeps statuses for ever)`, func() {
		status.Define[export]("X", "q", status.ExpireIn(0))
	})
	assert.Panics(t, func() { resque.Define0("X", "q", status.ExpireIn(time.Hour)) })
	_, err := status.Clear(t.Context(), nil)
	require.Error(t, err, "an empty list of states never means all")
}

// Values of other programs never make a Status unreadable.
func TestStatusOfOtherPrograms(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c, conn := s.Client(t), s.Conn(t)
	for text, want := range map[string]string{
		`{"status":"working","num":"3","total":"4","uuid":"x"}`:     `{"status":"working","num":"3","total":"4","uuid":"x","pct_complete":75}`,
		`{"status":"working","num":1e400,"total":-1,"time":"soon"}`: `{"status":"working","num":1e400,"total":-1,"time":"soon","pct_complete":0}`,
		`{}`:                 `{"pct_complete":0}`,
		`not JSON`:           `{"uuid":"x","status":"","pct_complete":0}`,
		`{"status":["a"]} x`: `{"uuid":"x","status":"","pct_complete":0}`,
	} {
		_, err := conn.Do("SET", "resque:status:x", text)
		require.NoError(t, err)
		got, ok, err := status.Get(t.Context(), c, "x")
		require.NoError(t, err)
		assert.True(t, ok)
		encoded, err := json.Marshal(got)
		if err == nil {
			assert.Equal(t, want, string(encoded))
		}
	}
}

// A job of a class that takes part in each push has no copies to delay again.
func TestDelayAgainNamesThePolicy(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	d := status.Define[export]("Export", "exports")
	_, err := s.Client(t).DelayOrEnqueueIn(t.Context(), time.Hour, d.Job(export{1}))
	require.ErrorContains(t, err, "a job of a class with status.Define cannot be delayed again")
}

// The progress of a short job is written with its end, in one step: the status is never
// written in between.
func TestProgressOfAShortJobIsWrittenWithItsEnd(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c := s.Client(t)
	d := status.Define[export]("Export", "exports")
	mux := muxOf(d.Handler(func(ctx context.Context, p *status.Progress, o export) error {
		if o.ID == 2 {
			p.Fail("not good")
		}
		return p.At(ctx, 3, 4, "row 3")
	}))
	done, err := d.Enqueue(t.Context(), c, export{1})
	require.NoError(t, err)
	bad, err := d.Enqueue(t.Context(), c, export{2})
	require.NoError(t, err)
	stop, began := s.Monitor(t), time.Now()
	w, err := worker.New(c, mux, worker.Config{Queues: []string{"exports"}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, w.WorkOff(t.Context()))
	short := time.Since(began) < 250*time.Millisecond // otherwise the machine was busy, and progress may be written earlier
	writes := 0
	for _, command := range stop() {
		if len(command) > 1 && strings.EqualFold(command[0], "set") && strings.HasPrefix(command[1], "resque:status:") {
			writes++
		}
	}
	if short {
		assert.Equal(t, 4, writes, "each is working once, and ends once")
	}
	got := await(t, c, done, status.Completed)
	assert.InDelta(t, 3, got.Num, 0)
	assert.Regexp(t, "^Completed at ", got.Message)
	got = await(t, c, bad, status.Failed)
	assert.Equal(t, 75, got.Percent())
}
