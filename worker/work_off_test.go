package worker_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

func TestWorkOff(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		client := s.Client(t)
		var did []string // without a lock: the race detector finds another goroutine
		mux := resque.NewMux()
		mux.HandleFunc("Exporter", func(ctx context.Context, job *resque.Payload) error {
			did = append(did, job.Class+string(job.Args[0]))
			if string(job.Args[0]) == "2" {
				return errors.New("no disk")
			}
			_, err := client.EnqueueAll(ctx, []resque.Job{{Queue: "new", Class: "Mailer", Args: []any{1}}, {Queue: "new", Class: "Mailer", Args: []any{2}}})
			return err
		})
		mux.HandleFunc("Mailer", func(_ context.Context, job *resque.Payload) error {
			did = append(did, job.Class+string(job.Args[0]))
			return nil
		})
		enqueue(t, s, exporters(2)...)
		var empty, exit int
		w := newWorker(t, s, mux, worker.Config{Queues: []string{"exports", "*"}, Concurrency: 3, Hooks: worker.Hooks{
			QueueEmpty: func() { empty++ }, WorkerExit: func() { exit++ },
		}})
		w.Quit() // ignored by WorkOff
		require.NoError(t, w.WorkOff(t.Context()))
		assert.Equal(t, []string{"Exporter1", "Exporter2", "Mailer1", "Mailer2"}, did)
		assert.Equal(t, []int{1, 1}, []int{empty, exit})
		requireFinished(t, s, 4, 1)
		requireGone(t, s.Conn(t))
		assert.Empty(t, w.IDs())
	})
}

func TestWorkOffEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(ctx context.Context, _ *resque.Payload) error {
		cancel()
		return ctx.Err() // the running job continues
	})
	enqueue(t, s, exporters(3)...)
	w := newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}})
	require.NoError(t, w.WorkOff(ctx))
	c := s.Conn(t)
	assert.Len(t, queue(t, s, "exports"), 2)
	assert.EqualValues(t, 1, number(t, c, "resque:stat:processed"))
	assert.Empty(t, failures(t, c))
	requireGone(t, c)
}

// A test's FailNow ends the goroutine of the test. WorkOff still finishes the job and
// unregisters.
func TestWorkOffAndGoexit(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error {
		runtime.Goexit()
		return nil
	})
	enqueue(t, s, exporters(2)...)
	w := newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}})
	returned, over := false, make(chan struct{})
	labelled(t.Name(), func() {
		defer close(over)
		_ = w.WorkOff(context.WithoutCancel(t.Context()))
		returned = true
	})
	<-over
	c := s.Conn(t)
	assert.False(t, returned, "it goes on after the end of its goroutine")
	assert.EqualValues(t, 1, number(t, c, "resque:stat:processed"))
	assert.Len(t, queue(t, s, "exports"), 1)
	failed := failures(t, c)
	require.Len(t, failed, 1)
	assert.Equal(t, "the handler called runtime.Goexit", failed[0].Error)
	requireGone(t, c)
	eventually(t, func() bool { n, _ := goroutines(t, t.Name()); return n == 0 }, "goroutines are left")
	again, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, w.WorkOff(again), "it is not locked")
}

func TestWorkOffRefuses(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	forking := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}, ForkPerJob: true})
	require.ErrorContains(t, forking.WorkOff(t.Context()), "ForkPerJob")
	w := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}})
	goRun(t, w)
	ready(t, w)
	require.ErrorContains(t, w.WorkOff(t.Context()), "already running")
	first := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}, Hooks: worker.Hooks{
		BeforeFirstFork: func(context.Context) error { return errors.New("no license") },
	}})
	require.ErrorContains(t, first.WorkOff(t.Context()), "no license")
}

// The last job may enqueue more, and all slots still perform jobs.
func TestUntilEmptyKeepsItsSlots(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		client := s.Client(t)
		const slots = 3
		var together sync.WaitGroup
		together.Add(slots)
		mux := resque.NewMux()
		mux.HandleFunc("First", func(ctx context.Context, _ *resque.Payload) error {
			<-time.After(50 * time.Millisecond) // until the others have found nothing
			_, err := client.EnqueueAll(ctx, []resque.Job{{Queue: "new", Class: "Part"}, {Queue: "new", Class: "Part"}, {Queue: "new", Class: "Part"}})
			return err
		})
		mux.HandleFunc("Part", func(context.Context, *resque.Payload) error {
			together.Done()
			together.Wait() // all three run at the same time
			return nil
		})
		enqueue(t, s, resque.Job{Queue: "first", Class: "First"})
		w := newWorker(t, s, mux, worker.Config{Queues: []string{"*"}, Concurrency: slots, UntilEmpty: true, PollInterval: time.Hour})
		select {
		case err := <-goRun(t, w):
			require.NoError(t, err)
		case <-time.After(time.Minute):
			require.Fail(t, "the slots have gone")
		}
		assert.EqualValues(t, 4, number(t, s.Conn(t), "resque:stat:processed"))
	})
}

// Redis does not look for jobs for slots that another process has unregistered, so no
// job does not mean that the queues are empty. The slots look again at once, and not
// at the next poll.
func TestUntilEmptyPerformsAllJobsIfUnregistered(t *testing.T) {
	t.Parallel()
	for name, work := range map[string]func(w *worker.Worker, ctx context.Context) error{
		"Run":     (*worker.Worker).Run,
		"WorkOff": (*worker.Worker).WorkOff,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			c := s.Conn(t)
			mux := resque.NewMux()
			mux.HandleFunc("Exporter", func(_ context.Context, job *resque.Payload) error {
				if string(job.Args[0]) == "1" {
					_, err := c.Do("DEL", "resque:workers")
					return err
				}
				return nil
			})
			enqueue(t, s, exporters(3)...)
			w := newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}, UntilEmpty: true, PollInterval: time.Hour})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.NoError(t, work(w, ctx))
			require.NoError(t, ctx.Err(), "it waits for a poll")
			requireFinished(t, s, 3, 0)
		})
	}
}

func TestStoppedWorkOffDoesNotCallQueueEmpty(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error { cancel(); return nil })
	enqueue(t, s, exporters(2)...)
	empty := 0
	w := newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}, Hooks: worker.Hooks{QueueEmpty: func() { empty++ }}})
	require.NoError(t, w.WorkOff(ctx))
	assert.Len(t, queue(t, s, "exports"), 1)
	assert.Zero(t, empty)
}

// Jobs without a handler are put back again and again. A worker with UntilEmpty leaves
// them to other workers, whether it has a queue or a pattern.
func TestUntilEmptyReturnsIfAllJobsArePutBack(t *testing.T) {
	t.Parallel()
	for _, queues := range []string{"exports", "*"} {
		t.Run(queues, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			enqueue(t, s, resque.Job{Queue: "exports", Class: "Nobody"})
			w := newWorker(t, s, recordedMux(), worker.Config{
				Queues: []string{queues}, Concurrency: 2, UntilEmpty: true, PollInterval: time.Hour, UnknownClass: worker.PutBackUnknown,
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.NoError(t, w.Run(ctx))
			require.NoError(t, ctx.Err(), "it turns them over without end")
			assert.Len(t, queue(t, s, "exports"), 1)
		})
	}
}

func TestRunSealsTheMux(t *testing.T) {
	t.Parallel()
	runs := map[string]func(*worker.Worker, context.Context) error{"Run": (*worker.Worker).Run, "WorkOff": (*worker.Worker).WorkOff}
	for name, work := range runs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nothing := func(context.Context, *resque.Payload) error { return nil }
			mux := resque.NewMux()
			mux.HandleFunc("A", nothing)
			w := newWorker(t, redistest.StartEmbedded(t), mux, worker.Config{Queues: []string{"exports"}, UntilEmpty: true})
			require.NoError(t, work(w, t.Context()))
			assert.PanicsWithValue(t, `resque: Handle: class "B" is registered too late: register all classes before a worker runs`,
				func() { mux.HandleFunc("B", nothing) })
		})
	}
}
