package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
)

// newLoggingExchange returns an exchange and its log.
func newLoggingExchange(s *script, cfg Config) (*Exchange, *bytes.Buffer) {
	x := newExchange(s, cfg)
	log := &bytes.Buffer{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	x.cfg.Logger, x.caller.log, x.caller.redis.Logger = logger, logger, logger
	x.caller.redis.Begun, x.caller.redis.Over = "away", "back"
	return x, log
}

func count(log *bytes.Buffer, text string) int { return strings.Count(log.String(), text) }

func TestPausesAndFaultsAreLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answer := func(x store.Exchanged) func(*script, []store.Slot) (store.Exchanged, error) {
			return func(_ *script, free []store.Slot) (store.Exchanged, error) {
				x.Reserved = []store.Reserved{{Worker: free[0].Worker, Queue: "a"}}
				return x, nil
			}
		}
		paused := store.Exchanged{Paused: true}
		fault := store.Exchanged{Fault: errors.New("WRONGTYPE")}
		none := func(*script, []store.Slot) (store.Exchanged, error) { return store.Exchanged{}, nil }
		x, log := newLoggingExchange(newScript(answer(paused), answer(paused), answer(fault), answer(fault), answer(store.Exchanged{}), answer(fault),
			none, answer(fault)), Config{Queues: []string{"a"}, PollInterval: time.Second, MaxWaiting: -1})
		go x.Run(t.Context())
		next := func(n int) {
			for range n {
				_, ok := x.Next(t.Context(), "1", nil)
				require.True(t, ok)
			}
		}
		next(6)
		assert.Equal(t, 1, count(log, "paused: pause-all-workers"))
		assert.Equal(t, 1, count(log, "msg=resumed"))
		assert.Equal(t, 1, count(log, "a queue cannot be read"))
		assert.Equal(t, 0, count(log, "can be read again"), "a call that finds a job does not look at all queues")
		next(1)
		assert.Equal(t, 1, count(log, "all queues can be read again"), "a call that found nothing did")
		assert.Equal(t, 2, count(log, "a queue cannot be read"))
	})
}

// That jobs are not counted is logged once, and so is its end.
func TestUncountedJobsAreLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answer := func(uncounted error) func(*script, []store.Slot) (store.Exchanged, error) {
			return func(s *script, free []store.Slot) (store.Exchanged, error) {
				x, err := jobs(s, free)
				x.Finished, x.Uncounted = []store.FinishResult{{Ours: true}}, uncounted
				return x, err
			}
		}
		refused := errors.New("WRONGTYPE")
		s := newScript(jobs, answer(refused), answer(refused), answer(nil), answer(refused))
		x, log := newLoggingExchange(s, Config{Queues: []string{"a"}, PollInterval: time.Second, MaxWaiting: -1})
		go x.Run(t.Context())
		for range 5 {
			_, ok := x.Next(t.Context(), "1", done(store.Reserved{Worker: "1"}))
			require.True(t, ok)
		}
		assert.Equal(t, 2, count(log, "jobs that ended are not counted"))
		assert.Equal(t, 1, count(log, "jobs that ended are counted again"))
	})
}

// A refused result is logged once, with cause and advice, and so is its end.
func TestARefusedResultIsLoggedWithItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := func(*script, []store.Slot) (store.Exchanged, error) {
			return store.Exchanged{Finished: []store.FinishResult{{Err: errors.New("OOM")}}}, nil
		}
		finished := func(s *script, free []store.Slot) (store.Exchanged, error) {
			x, err := jobs(s, free)
			x.Finished = []store.FinishResult{{Ours: true}}
			return x, err
		}
		s := newScript(refused, refused, finished)
		x, log := newLoggingExchange(s, Config{Queues: []string{"a"}})
		x.caller.attrs = func(err error) []any { return []any{"err", err, "cause", "full"} }
		_, ok := x.Next(t.Context(), "1", done(store.Reserved{Worker: "1"}))
		require.True(t, ok)
		assert.Equal(t, 1, count(log, `"redis refused the result of a job, retrying" err=OOM cause=full worker=1`))
		assert.Equal(t, 1, count(log, `"redis took the result of a job" worker=1`))
	})
}

func TestAnOutageIsLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := func(*script, []store.Slot) (store.Exchanged, error) {
			return store.Exchanged{}, errors.New("no connection")
		}
		x, log := newLoggingExchange(newScript(away, away, away, jobs, jobs), Config{Queues: []string{"a"}})
		for range 2 {
			_, ok := x.Next(t.Context(), "1", nil)
			require.True(t, ok)
		}
		assert.Equal(t, 1, count(log, "msg=away"))
		assert.Equal(t, 1, count(log, "msg=back"))
	})
}

// A record that was taken over is logged, unless the call was repeated: then an earlier
// call may have removed the record.
func TestARecordThatWasTakenOverIsLogged(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]error{"at once": nil, "after a call without an answer": errors.New("no answer")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				taken := func(s *script, free []store.Slot) (store.Exchanged, error) {
					x, _ := jobs(s, free)
					x.Finished = []store.FinishResult{{Ours: false}}
					return x, nil
				}
				s := newScript()
				if first != nil {
					s.answers = append(s.answers, func(*script, []store.Slot) (store.Exchanged, error) { return store.Exchanged{}, first })
				}
				s.answers = append(s.answers, taken)
				x, log := newLoggingExchange(s, Config{Queues: []string{"a"}})
				_, ok := x.Next(t.Context(), "1", done(store.Reserved{Worker: "1"}))
				require.True(t, ok)
				assert.Equal(t, first == nil, count(log, "record of a running job was taken over") == 1)
			})
		})
	}
}

// A call that has copied enough leaves slots free. They look again at once.
func TestSlotsLookAgainWhenThereIsMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(func(_ *script, free []store.Slot) (store.Exchanged, error) {
			return store.Exchanged{More: true, Reserved: []store.Reserved{{Worker: free[0].Worker, Queue: "a"}}}, nil
		}, jobs)
		x := newExchange(s, Config{Queues: []string{"a"}, Slots: 2})
		arrive(x, "1")
		for range 2 {
			_, ok := x.Next(t.Context(), "2", nil)
			require.True(t, ok)
		}
		assert.Equal(t, []string{"2"}, s.asked()[1].free[:1])
	})
}

// With UntilEmpty the goroutines may end before Emptied is sent. EmptiedLast then
// returns true, once, if there were jobs.
func TestEmptiedLastReportsOnceThatThereWereJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newExchange(newScript(jobs), Config{Queues: []string{"a"}, Slots: 2, UntilEmpty: true})
		assert.False(t, x.EmptiedLast(), "there were no jobs")
		_, ok := x.Next(t.Context(), "1", nil)
		require.True(t, ok)
		assert.True(t, x.EmptiedLast())
		assert.False(t, x.EmptiedLast(), "once")
	})
}

func TestAJobShortensThePollInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newExchange(newScript(jobs), Config{Queues: []string{"a"}, MinPollInterval: time.Second, PollInterval: 2 * time.Second, MaxPollInterval: time.Minute, PollBackoff: time.Second})
		for want := 3; want < 6; want++ {
			assert.Equal(t, time.Duration(want)*time.Second, x.nextInterval())
		}
		_, ok := x.Next(t.Context(), "1", nil)
		require.True(t, ok)
		assert.Equal(t, 2*time.Second, x.nextInterval())
	})
}

func TestIdleSlotsLookAtEveryInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(none, none, none, jobs)
		x := newExchange(s, Config{Queues: []string{"a"}, PollInterval: time.Minute, MaxWaiting: -1})
		go x.Run(t.Context())
		began := time.Now()
		_, ok := x.Next(t.Context(), "1", nil)
		assert.True(t, ok)
		assert.Equal(t, 3*time.Minute, time.Since(began))
		backoff.Sleep(t.Context(), time.Hour)
		assert.Len(t, s.asked(), 4, "no look while all slots are busy")
	})
}

// closing is a backend whose first call after a pause finds its connection closed.
type closing struct {
	*script
	repeatable []bool // of each call
}

func (c *closing) Exchange(ctx context.Context, queues []string, finished []store.Outcome, free []store.Slot) (store.Exchanged, error) {
	c.repeatable = append(c.repeatable, store.IsRepeatable(ctx))
	if len(c.repeatable) == 3 {
		return store.Exchanged{}, fmt.Errorf("finishing: %w", io.EOF)
	}
	return c.script.Exchange(ctx, queues, finished, free)
}

// A connection that was closed while the worker was idle does not count as an outage: the
// call is repeated at once. Its first attempt does not check the connection, because that would delay the job.
func TestAClosedConnectionOfAnIdleWorkerIsNoOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(jobs, jobs, jobs)
		x, log := newLoggingExchange(s, Config{Queues: []string{"a"}})
		c := &closing{script: s}
		x.caller.backend = c
		x.caller.answered = time.Now()
		job, ok := x.Next(t.Context(), "1", nil)
		require.True(t, ok)
		backoff.Sleep(t.Context(), store.Rested)
		job, ok = x.Next(t.Context(), "", done(job))
		require.True(t, ok)
		backoff.Sleep(t.Context(), store.Rested)
		began := time.Now()
		_, ok = x.Next(t.Context(), "", done(job))
		require.True(t, ok)
		assert.Zero(t, time.Since(began))
		assert.Equal(t, []bool{false, true, true, false}, c.repeatable)
		assert.Equal(t, 0, count(log, "msg=away"))
	})
}
