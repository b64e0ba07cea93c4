package worker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// registered returns the ids of all registered workers.
func registered(t *testing.T, c redis.Conn) []string {
	t.Helper()
	ids, err := redis.Strings(c.Do("SMEMBERS", "resque:workers"))
	require.NoError(t, err)
	return ids
}

// ready waits until w is registered.
func ready(t *testing.T, w *worker.Worker) {
	t.Helper()
	eventually(t, func() bool { return len(w.IDs()) > 0 }, "the worker is not registered")
}

// Processes in two containers may have the same host name and pid. Here they are
// workers of one process.
func TestTwinsUseDifferentIDs(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		ctx, stop := context.WithCancel(t.Context())
		var ended []<-chan error
		for _, slots := range []int{2, 3, 1} {
			w := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}, Concurrency: slots})
			done := make(chan error, 1)
			go func() { done <- w.Run(ctx) }()
			ended = append(ended, done)
			ready(t, w)
		}
		ids := registered(t, s.Conn(t))
		assert.Len(t, ids, 6, "%v", ids)
		stop()
		for _, done := range ended {
			require.NoError(t, <-done)
		}
		requireGone(t, s.Conn(t))
	})
}

// A worker that starts with the id of a dead one prunes that one first.
func TestRestartPrunesADeadWorkerWithItsID(t *testing.T) {
	t.Parallel()
	for name, half := range map[string]bool{"registered": false, "pruned already, but for its record": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t)
			c := s.Conn(t)
			host, err := os.Hostname()
			require.NoError(t, err)
			id := fmt.Sprintf("%s~go:%d:exports", host, os.Getpid())
			do(t, c, "SET", "resque:worker:"+id, `{"queue":"exports","run_at":"2026-01-01T00:00:00Z","payload":{"class":"Exporter","args":[5]}}`)
			if !half {
				do(t, c, "SADD", "resque:workers", id)
				do(t, c, "HSET", "resque:workers:heartbeat", id, time.Now().Format(time.RFC3339)) // it died just now
			}
			var performed atomic.Int64
			mux := resque.NewMux()
			mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error {
				performed.Add(1)
				return nil
			})
			w := newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}, UntilEmpty: true})
			require.NoError(t, w.Run(t.Context()))
			assert.Zero(t, performed.Load(), "it fails and is not performed")
			failed := fmt.Sprintf("%s", do(t, c, "LINDEX", "resque:failed", 0))
			assert.Contains(t, failed, "Resque::PruneDeadWorkerDirtyExit")
			assert.Contains(t, failed, id)
			requireGone(t, c)
		})
	}
}

// The record goes with the registration of its worker, which is this one's by then.
func TestAWorkerThatSettledARecordIsRegistered(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	host, err := os.Hostname()
	require.NoError(t, err)
	id := fmt.Sprintf("%s~go:%d:exports", host, os.Getpid())
	do(t, c, "SET", "resque:worker:"+id, `{"queue":"exports","run_at":"2026-01-01T00:00:00Z","payload":{"class":"Exporter","args":[5]}}`)
	w := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}})
	goRun(t, w)
	ready(t, w)
	assert.Equal(t, []string{id}, registered(t, c))
	assert.EqualValues(t, 1, do(t, c, "HEXISTS", "resque:workers:heartbeat", id))
	assert.EqualValues(t, 1, do(t, c, "EXISTS", "resque:worker:"+id+":started"))
}

func TestPrunedWorkerRegistersAgain(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	w := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}, Concurrency: 3, PollInterval: 20 * time.Millisecond})
	goRun(t, w)
	ready(t, w)
	do(t, c, "DEL", "resque:workers")
	enqueue(t, s, exporters(5)...)
	eventually(t, func() bool { return number(t, c, "resque:stat:processed") == 5 }, "the jobs are not performed")
	assert.Len(t, registered(t, c), 3)
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	mux := resque.NewMux()
	wait := func(ctx context.Context) error {
		<-ctx.Done()
		return fmt.Errorf("reading: %w", ctx.Err())
	}
	mux.Handle(resque.Define0("Own", "q", resque.Timeout(20*time.Millisecond)).Handler(wait))
	mux.Handle(resque.Define0("General", "q").Handler(wait))
	mux.Handle(resque.Define0("Honest", "q", resque.Timeout(20*time.Millisecond)).Handler(func(ctx context.Context) error {
		<-ctx.Done()
		return errors.New("no disk")
	}))
	enqueue(t, s, resque.Job{Queue: "q", Class: "Own"}, resque.Job{Queue: "q", Class: "General"}, resque.Job{Queue: "q", Class: "Honest"})
	w := newWorker(t, s, mux, worker.Config{Queues: []string{"q"}, UntilEmpty: true, Timeout: 40 * time.Millisecond})
	require.NoError(t, w.Run(t.Context()))
	failed, err := redis.Strings(s.Conn(t).Do("LRANGE", "resque:failed", 0, -1))
	require.NoError(t, err)
	require.Len(t, failed, 3)
	assert.Contains(t, failed[0], `"exception":"Timeout::Error","error":"Own: execution expired after 20ms"`)
	assert.Contains(t, failed[1], `"exception":"Timeout::Error","error":"General: execution expired after 40ms"`)
	assert.Contains(t, failed[2], `"error":"no disk"`)
}

func TestGoexitIsAFailureAndKeepsTheSlot(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(_ context.Context, job *resque.Payload) error {
		if string(job.Args[0]) == "1" {
			runtime.Goexit()
		}
		return nil
	})
	enqueue(t, s, exporters(3)...)
	w := newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}, UntilEmpty: true})
	require.NoError(t, w.Run(t.Context()))
	requireFinished(t, s, 3, 1)
}

// Jobs of unknown classes are left to other workers, and are not put back again and
// again.
func TestPutBackUnknown(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		c := s.Conn(t)
		var known atomic.Int64
		mux := resque.NewMux()
		mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error {
			known.Add(1)
			return nil
		})
		for i := range 5 {
			enqueue(t, s, resque.Job{Queue: "exports", Class: "Newer", Args: []any{i}})
		}
		log := &journal{}
		w := newWorker(t, s, mux, worker.Config{
			Queues: []string{"exports"}, UnknownClass: worker.PutBackUnknown, Logger: log.logger(), PollInterval: 300 * time.Millisecond,
		})
		stop := goRun(t, w)
		ready(t, w)
		enqueue(t, s, exporters(1)...)
		eventually(t, func() bool { return known.Load() == 1 }, "a known class behind unknown ones is not performed")
		// About 32 at each poll; then the slot waits for the next poll.
		began := time.Now()
		turned := log.count("put back")
		eventually(t, func() bool { return log.count("put back") > turned+4*32 }, "it looks again")
		assert.GreaterOrEqual(t, time.Since(began), 500*time.Millisecond, "it moves them round and round")
		select {
		case err := <-stop:
			require.Fail(t, "the worker ended", err)
		default:
		}
		eventually(t, func() bool { return do(t, c, "LLEN", "resque:queue:exports") == any(int64(5)) }, "all back: one may have been in hand")
		assert.EqualValues(t, 0, do(t, c, "LLEN", "resque:failed"))
	})
}

// A queue in which all jobs are put back does not block the queues after it.
func TestPutBackTriesOtherQueuesFirst(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		var known atomic.Int64
		mux := resque.NewMux()
		mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error {
			known.Add(1)
			return nil
		})
		enqueue(t, s, resque.Job{Queue: "a", Class: "Newer"}, resque.Job{Queue: "b", Class: "Newer"})
		enqueue(t, s, exporters(3)...)
		for _, queues := range [][]string{{"a", "b", "exports"}, {"*"}} {
			w := newWorker(t, s, mux, worker.Config{
				Queues: queues, UnknownClass: worker.PutBackUnknown, Logger: (&journal{}).logger(), PollInterval: 50 * time.Millisecond,
			})
			stop := goRun(t, w)
			eventually(t, func() bool { return known.Load() == 3 }, "the last queue starves")
			known.Store(0)
			w.Quit()
			require.NoError(t, <-stop)
			assert.Len(t, queue(t, s, "a"), 1)
			assert.Len(t, queue(t, s, "b"), 1)
			enqueue(t, s, exporters(3)...)
		}
	})
}

// scriptCalls returns how many scripts a redis-server has run: an idle worker runs
// one for each look.
func scriptCalls(t *testing.T, c redis.Conn) int {
	t.Helper()
	info, err := redis.String(c.Do("INFO", "commandstats"))
	require.NoError(t, err)
	_, line, _ := strings.Cut(info, "cmdstat_evalsha:calls=")
	text, _, _ := strings.Cut(line, ",")
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// A push by any client wakes an idle worker at once. The next poll is an hour away.
func TestPickupWithoutPolling(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		c := s.Conn(t)
		done := make(chan string, 1)
		mux := resque.NewMux()
		mux.HandleFunc("Exporter", func(_ context.Context, job *resque.Payload) error {
			done <- job.Queue
			return nil
		})
		queues := []string{"first", "second"}
		if s.Real {
			queues = append(queues, "new*")
		}
		w := newWorker(t, s, mux, worker.Config{Queues: queues, Concurrency: 3, PollInterval: time.Hour})
		goRun(t, w)
		ready(t, w)
		for range 20 {
			for _, q := range []string{"first", "second"} {
				do(t, c, "RPUSH", "resque:queue:"+q, `{"class":"Exporter","args":[]}`)
				require.Equal(t, q, <-done)
			}
		}
		if s.Real { // an unknown queue, and a pause that ends
			do(t, c, "SADD", "resque:queues", "newer")
			do(t, c, "RPUSH", "resque:queue:newer", `{"class":"Exporter","args":[]}`)
			require.Equal(t, "newer", <-done)
			for _, key := range []string{"pause-all-workers", "pause:all", "pause:queue:first"} {
				do(t, c, "SET", "resque:"+key, "true")
				do(t, c, "RPUSH", "resque:queue:first", `{"class":"Exporter","args":[]}`)
				looks := scriptCalls(t, c)
				do(t, c, "RPUSH", "resque:queue:second", strings.Repeat(" ", 3))
				do(t, c, "LPOP", "resque:queue:second")
				eventually(t, func() bool { return scriptCalls(t, c) > looks }, "the worker looks")
				select {
				case q := <-done:
					require.Fail(t, "performed in spite of "+key, q)
				default:
				}
				do(t, c, "DEL", "resque:"+key)
				require.Equal(t, "first", <-done)
			}
		}
	})
}

// The number of slots does not change how many commands an idle worker sends.
func TestIdleWorkerSendsFewCommands(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	w := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}, Concurrency: 100, PollInterval: 100 * time.Millisecond})
	goRun(t, w)
	ready(t, w)
	c := s.Conn(t)
	stop := s.Monitor(t)
	looks := scriptCalls(t, c)
	eventually(t, func() bool { return scriptCalls(t, c) >= looks+10 }, "ten polls")
	asked := slices.DeleteFunc(stop(), func(command []string) bool { return len(command) > 0 && command[0] == "info" })
	polls := 0
	for _, command := range asked {
		if len(command) > 0 && strings.EqualFold(command[0], "evalsha") {
			polls++
		}
	}
	// Three commands in each poll: EVALSHA, MGET, EXISTS.
	assert.LessOrEqual(t, len(asked), 6*polls, "%d polls", polls)
}

// A worker may be told to stop before or while it starts.
func TestStoppedWhileStarting(t *testing.T) {
	t.Parallel()
	for calls := range 8 {
		t.Run(fmt.Sprintf("after %d calls", calls), func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t)
			ctx, cancel := context.WithCancel(t.Context())
			var n atomic.Int64
			behind := relayTo(t, s, func([]string) fate {
				if n.Add(1) > int64(calls) {
					cancel()
				}
				return pass
			})
			if calls == 0 {
				cancel()
			}
			w := newWorker(t, behind, recordedMux(), worker.Config{Queues: []string{"exports"}, Concurrency: 2})
			require.NoError(t, w.Run(ctx))
			requireGone(t, s.Conn(t))
		})
	}
}

// treacherous is an error whose methods all panic.
type treacherous struct{}

func (*treacherous) Error() string   { panic("Error") }
func (*treacherous) Is(error) bool   { panic("Is") }
func (*treacherous) As(any) bool     { panic("As") }
func (e *treacherous) Unwrap() error { panic("Unwrap") }

// Methods of a handler's error may panic. The job fails and the worker continues.
func TestErrorsWithPanickingMethodsFailTheJob(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(ctx context.Context, job *resque.Payload) error {
		switch string(job.Args[0]) {
		case "0":
			return &treacherous{}
		case "1":
			<-ctx.Done()
			return &treacherous{}
		default:
			return (*resque.TimeoutError)(nil)
		}
	})
	enqueue(t, s, exporters(3)...)
	w := newWorker(t, s, mux, worker.Config{
		Queues: []string{"exports"}, UntilEmpty: true, Timeout: 50 * time.Millisecond, UnknownClass: worker.PutBackUnknown,
	})
	require.NoError(t, w.Run(t.Context()))
	requireFinished(t, s, 3, 3)
}
