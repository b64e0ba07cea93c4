package resquetest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/resquetest"
	"github.com/goresque/goresque/worker"
)

func TestPerformAllPerformsQueuesInOrder(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	var did []string // needs no lock: handlers run in this goroutine
	mux := resque.NewMux()
	mux.Use(resque.BeforePerform(func(_ context.Context, job *resque.Payload) error {
		did = append(did, "middleware "+job.Class)
		return nil
	}))
	mux.Handle(Exporter.Handler(func(ctx context.Context, id int64) error {
		_, err := client.Enqueue(ctx, Mailer.Job(strconv.FormatInt(id, 10), Letter{}))
		return err
	}))
	mux.Handle(Mailer.Handler(func(_ context.Context, to string, _ Letter) error {
		did = append(did, "mail to "+to)
		return nil
	}))
	mux.Handle(RailsJob.Handler(func(ctx context.Context, id int64, _ Letter) error {
		require.EqualValues(t, 7, id)
		_, err := client.Enqueue(ctx, Exporter.Job(id)) // on an earlier queue
		return err
	}))
	enqueue(t, client, RailsJob.Job(7, Letter{}), Exporter.Job(1), Exporter.Job(2))
	require.NoError(t, resquetest.PerformAll(t, client, mux))
	assert.Equal(t, []string{
		"middleware Exporter", "middleware Exporter",
		"middleware Mailer", "mail to 1", "middleware Mailer", "mail to 2",
		"middleware LetterJob", "middleware Exporter", "middleware Mailer", "mail to 7",
	}, did)
	assert.Empty(t, resquetest.Jobs(t, client))
	resquetest.RequireNoFailures(t, client)
	processed, err := client.Stat(t.Context(), "processed")
	require.NoError(t, err)
	assert.EqualValues(t, 7, processed)
	require.NoError(t, resquetest.PerformAll(t, client, mux), "nothing to do")
}

func TestPerformAllOfSomeQueues(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	var did []string
	note := resque.HandlerFunc(func(_ context.Context, job *resque.Payload) error {
		did = append(did, job.Class)
		return nil
	})
	enqueue(t, client, Exporter.Job(1), Nightly.Job(), Mailer.Job("ann", Letter{}))
	require.NoError(t, resquetest.PerformAll(t, client, note, "nightly", "exports"))
	assert.Equal(t, []string{"Nightly", "Exporter"}, did)
	resquetest.RequireEnqueued(t, client, Mailer)
}

// noDisk is an error type to find in a joined error.
type noDisk struct{ path string }

func (e *noDisk) Error() string { return "no disk at " + e.path }

func TestPerformAllReturnsFailures(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	var told []string
	mux := resque.NewMux()
	mux.Handle(Exporter.Handler(func(context.Context, int64) error { return fmt.Errorf("exporting: %w", &noDisk{"/tmp"}) }).
		OnFailure(func(_ context.Context, job *resque.Payload, _ error) error {
			told = append(told, job.Class)
			return nil
		}))
	mux.Handle(resque.Define0("Nightly", "nightly", resque.Timeout(time.Millisecond)).Handler(func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}))
	mux.Handle(RailsJob.Handler(func(context.Context, int64, Letter) error { panic("a bug") }))
	enqueue(t, client, Exporter.Job(1), Nightly.Job(), Mailer.Job("ann", Letter{}), RailsJob.Job(7, Letter{To: "ann"}))
	require.NoError(t, client.Push(t.Context(), "zzz", []byte(`[1]`)))
	err := resquetest.PerformAll(t, client, mux)
	var disk *noDisk
	require.ErrorAs(t, err, &disk)
	var timeout *resque.TimeoutError
	require.ErrorAs(t, err, &timeout)
	var unknown *resque.UnknownClassError
	require.ErrorAs(t, err, &unknown)
	var job *resquetest.JobError
	require.ErrorAs(t, err, &job)
	assert.Equal(t, []string{"Exporter", "exports", "exporting: no disk at /tmp"}, []string{job.Job.Class, job.Job.Queue, job.Failure.Error})
	assert.NotEmpty(t, job.Job.Worker)
	text := strings.Split(err.Error(), "\n")
	assert.Equal(t, []string{
		"exports: Exporter [1]: exporting: no disk at /tmp",
		`mail: Mailer ["ann", {"to":"","size":0.0}]: uninitialized constant Mailer (no Go handler is registered for this class)`,
		"nightly: Nightly []: Nightly: execution expired after 1ms",
		`rails: LetterJob [7, {"to":"ann","size":0.0,"_aj_symbol_keys":["to","size"]}]: panic: a bug`,
	}, text[:4])
	assert.Contains(t, text[4], "perform_test.go:", "the place of the panic")
	assert.Contains(t, text[len(text)-1], `zzz: <unreadable> ["[1]"]: `)
	assert.Equal(t, []string{"Exporter"}, told)
	resquetest.RequireFailed(t, client, RailsJob, 7, Letter{To: "ann"})
	assert.Empty(t, resquetest.Jobs(t, client))
}

func TestAHandlerMayStopTheTest(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	enqueue(t, client, Nightly.Job(), Nightly.Job())
	requireFails(t, true, "not like this", func(t *fake) {
		mux := resque.NewMux()
		mux.Handle(Nightly.Handler(func(context.Context) error {
			t.Errorf("not like this")
			t.FailNow()
			return nil
		}))
		_ = resquetest.PerformAll(t, client, mux)
	})
	assert.Len(t, resquetest.Jobs(t, client), 1)
	workers, err := client.Workers(t.Context())
	require.NoError(t, err)
	assert.Empty(t, workers)
}

func TestPerformAllLogsToTheTest(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	enqueue(t, client, Exporter.Job(1), Nightly.Job())
	f := run(t, func(t *fake) { _ = resquetest.PerformAll(t, client, fails()) })
	assert.Empty(t, f.errors)
	assert.Contains(t, f.logs, `level=ERROR msg="job failed" class=Exporter queue=exports err="no disk"`)
	assert.Contains(t, f.logs, `level=INFO msg="job done" class=Nightly queue=nightly`)
}

func TestJobsThatEnqueueEachOtherStopTheTest(t *testing.T) {
	t.Parallel()
	for name, perform := range map[string]func(t *fake, client *resque.Client, h resque.Handler) error{
		"PerformAll": func(t *fake, client *resque.Client, h resque.Handler) error {
			return resquetest.PerformAll(t, client, h)
		},
		"RunUntilIdle": func(t *fake, client *resque.Client, h resque.Handler) error {
			return resquetest.RunUntilIdle(t, client, h, worker.Config{Logger: slog.New(slog.DiscardHandler)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := resquetest.New(t)
			mux := resque.NewMux()
			mux.Handle(Nightly.Handler(func(ctx context.Context) error {
				_, err := client.Enqueue(ctx, Nightly.Job())
				return err
			}))
			enqueue(t, client, Nightly.Job())
			requireFails(t, true, "resquetest: performed 1001 jobs and more are waiting: do jobs enqueue each other without end? Performed:\n    nightly: Nightly (1002 times)",
				func(t *fake) { _ = perform(t, client, mux) })
		})
	}
}

func TestRunUntilIdleRunsJobsConcurrently(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	var together sync.WaitGroup
	together.Add(3)
	mux := resque.NewMux()
	mux.Handle(Nightly.Handler(func(ctx context.Context) error {
		_, err := client.EnqueueAll(ctx, []resque.Job{Exporter.Job(1), Exporter.Job(2), Exporter.Job(3)})
		return err
	}))
	mux.Handle(Exporter.Handler(func(_ context.Context, id int64) error {
		together.Done()
		together.Wait() // all three at once
		if id == 2 {
			return &noDisk{"/tmp"}
		}
		return nil
	}))
	enqueue(t, client, Nightly.Job())
	var saved []string
	err := resquetest.RunUntilIdle(t, client, mux, worker.Config{
		Concurrency: 3,
		FailureBackends: []resque.FailureBackend{resque.FailureBackendFunc(func(_ context.Context, f resque.Failure) error {
			saved = append(saved, f.Error)
			return nil
		})},
	})
	var disk *noDisk
	require.ErrorAs(t, err, &disk)
	assert.EqualError(t, err, "exports: Exporter [2]: no disk at /tmp")
	assert.Equal(t, []string{"no disk at /tmp"}, saved, "the backend of the test")
	resquetest.RequireFailed(t, client, Exporter, 2)

	enqueue(t, client, Exporter.Job(4), Mailer.Job("ann", Letter{}))
	var n int
	note := resque.HandlerFunc(func(context.Context, *resque.Payload) error { n++; return nil })
	require.NoError(t, resquetest.RunUntilIdle(t, client, note, worker.Config{Queues: []string{"exports"}}))
	assert.Equal(t, 1, n)
	resquetest.RequireEnqueued(t, client, Mailer)
}

func TestPerformStopsTheTestWithoutAWorker(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	requireFails(t, true, "resquetest: worker: a worker needs a handler, usually a *resque.Mux",
		func(t *fake) { _ = resquetest.PerformAll(t, client, nil) })
	inline, err := resque.New(nil, resque.Config{Inline: fails()})
	require.NoError(t, err)
	requireFails(t, true, "resquetest: this client is inline: it performs jobs at once, so no job is waiting or recorded as failed",
		func(t *fake) { _ = resquetest.PerformAll(t, inline, fails()) })
	first := errors.New("no license")
	f := run(t, func(t *fake) {
		_ = resquetest.RunUntilIdle(t, client, fails(), worker.Config{Hooks: worker.Hooks{BeforeFirstFork: func(context.Context) error { return first }}})
	})
	assert.Contains(t, f.text(), "no license")
	assert.True(t, f.stopped)
}
