package worker

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
)

// nameless is a store whose Redis refuses to name connections, but lists them.
type nameless struct{ *store.Store }

func (nameless) Announce(context.Context, string, string) (*store.Presence, error) {
	return nil, redis.Error("NOPERM this user has no permissions to run the 'client|setname' command")
}

// A worker that cannot announce itself must not take a twin that lives for dead:
// neither one whose connection it sees, nor one that could not announce itself
// either and was heard just now.
func TestWorkersWithoutNamedConnectionKeepTheirTwins(t *testing.T) {
	t.Parallel()
	for name, announced := range map[string]bool{"announced": true, "nameless, too": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t)
			st := store.New(s.Open(t))
			cfg, err := Config{Queues: []string{"exports"}, Logger: slog.New(slog.DiscardHandler)}.withDefaults()
			require.NoError(t, err)
			own, err := thisProcess()
			require.NoError(t, err)
			if announced {
				presence, err := st.Announce(t.Context(), own.process(), "twin")
				require.NoError(t, err)
				t.Cleanup(presence.Close)
			}
			twin := own.slot(1, 1, cfg.Queues)
			_, err = st.Register(t.Context(), []string{twin}, time.Now(), store.Intervals{}, false)
			require.NoError(t, err)
			c := s.Conn(t)
			_, err = c.Do("SET", "resque:worker:"+twin, recorded)
			require.NoError(t, err)

			r := &registry{backend: nameless{st}, dead: newSweeper(s.Client(t), st, nil, cfg), cfg: cfg, beaten: func(context.Context) {}}
			ids, err := r.enter(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{own.slot(2, 1, cfg.Queues)}, ids)
			record, err := redis.String(c.Do("GET", "resque:worker:"+twin))
			require.NoError(t, err, "the twin's job is gone")
			assert.Equal(t, recorded, record)
			require.NoError(t, r.leave(t.Context()))
		})
	}
}

// early is a store whose Redis does not show the connections of twins yet when a worker
// looks for one.
type early struct{ *store.Store }

func (early) Present(context.Context, string) (tokens []string, ok bool, err error) {
	return nil, true, nil
}

// A twin announces itself and registers after this worker has looked for twins. It keeps
// its id and its job.
func TestTwinThatStartsAtTheSameTimeKeepsItsID(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	st := store.New(s.Open(t))
	cfg, err := Config{Queues: []string{"exports"}, Logger: slog.New(slog.DiscardHandler)}.withDefaults()
	require.NoError(t, err)
	own, err := thisProcess()
	require.NoError(t, err)
	presence, err := st.Announce(t.Context(), own.process(), "twin")
	require.NoError(t, err)
	t.Cleanup(presence.Close)
	twin := own.slot(1, 1, cfg.Queues)
	_, err = st.Register(t.Context(), []string{twin}, time.Now(), store.Intervals{}, false)
	require.NoError(t, err)
	c := s.Conn(t)
	_, err = c.Do("SET", "resque:worker:"+twin, recorded)
	require.NoError(t, err)

	r := &registry{backend: early{st}, dead: newSweeper(s.Client(t), st, nil, cfg), cfg: cfg, beaten: func(context.Context) {}}
	ids, err := r.enter(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{own.slot(2, 1, cfg.Queues)}, ids)
	record, err := redis.String(c.Do("GET", "resque:worker:"+twin))
	require.NoError(t, err, "the twin's job is gone")
	assert.Equal(t, recorded, record)
	require.NoError(t, r.leave(t.Context()))
}

func TestLeavingDoesNotReturnPerformedJobs(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	st := store.New(s.Open(t))
	cfg, err := Config{Queues: []string{"exports"}, Concurrency: 2, Logger: slog.New(slog.DiscardHandler)}.withDefaults()
	require.NoError(t, err)
	r := &registry{backend: st, dead: newSweeper(s.Client(t), st, nil, cfg), cfg: cfg, beaten: func(context.Context) {}}
	ids, err := r.enter(t.Context())
	require.NoError(t, err)
	for _, id := range ids {
		_, err := c.Do("SET", "resque:worker:"+id, recorded)
		require.NoError(t, err)
	}
	require.NoError(t, r.leave(t.Context(), ids[0]))
	waiting, err := redis.Int(c.Do("LLEN", "resque:queue:exports"))
	require.NoError(t, err)
	assert.Equal(t, 1, waiting, "that of the other slot, which has not begun")
	left, err := redis.Strings(c.Do("SMEMBERS", "resque:workers"))
	require.NoError(t, err)
	assert.Equal(t, ids[:1], left, "for the sweepers to find")
	record, err := redis.String(c.Do("GET", "resque:worker:"+ids[0]))
	require.NoError(t, err)
	assert.Equal(t, recorded, record)
}

// logLines receives the lines of a log.
type logLines chan string

func (l logLines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

func (l logLines) next(t *testing.T) string {
	t.Helper()
	select {
	case line := <-l:
		return line
	case <-time.After(time.Minute):
		require.Fail(t, "nothing is logged")
		return ""
	}
}

func TestLogNamesCauseOfRefusedHeartbeats(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c := s.Conn(t)
	st := store.New(s.Open(t))
	log := make(logLines, 10)
	cfg, err := Config{
		Queues: []string{"exports"}, HeartbeatInterval: 10 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(log, nil)),
	}.withDefaults()
	require.NoError(t, err)
	r := &registry{backend: st, dead: newSweeper(s.Client(t), st, nil, cfg), cfg: cfg, beaten: func(context.Context) {}}
	_, err = r.enter(t.Context())
	require.NoError(t, err)
	_, err = c.Do("CONFIG", "SET", "maxmemory", "1")
	require.NoError(t, err)

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.beat(ctx, &exchange.Outage{Begun: "away", Over: "back", Logger: cfg.Logger})
	}()
	defer func() {
		stop()
		<-ended
	}()
	line := log.next(t)
	assert.Contains(t, line, "redis refuses heartbeats")
	assert.Contains(t, line, "cause=")
	assert.Contains(t, line, "advice=")
	_, err = c.Do("CONFIG", "SET", "maxmemory", "0")
	require.NoError(t, err)
	assert.Contains(t, log.next(t), "redis takes heartbeats again")
}
