package prom_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/resque/prom"
	"github.com/goresque/goresque/worker"
)

var (
	exporter  = resque.Define1[int64]("Exporter", "exports")
	exportJob = activejob.Define1[int64]("ExportJob", "exports")
)

// work performs the jobs in the queue exports.
func work(ctx context.Context, t *testing.T, client *resque.Client, mux *resque.Mux, cfg worker.Config) {
	t.Helper()
	cfg.Queues, cfg.UntilEmpty, cfg.Logger = []string{"exports"}, true, slog.New(slog.DiscardHandler)
	w, err := worker.New(client, mux, cfg)
	require.NoError(t, err)
	require.NoError(t, w.Run(ctx))
}

func counted(t *testing.T, s *redistest.Server, jobs *prom.Jobs) (*resque.Client, *resque.Mux) {
	t.Helper()
	client, err := resque.New(s.Open(t), resque.Config{EnqueueHooks: []resque.EnqueueMiddleware{jobs.Enqueue}})
	require.NoError(t, err)
	mux := resque.NewMux()
	mux.Use(jobs.Perform)
	return client, mux
}

func TestJobsAreCountedByOutcome(t *testing.T) {
	t.Parallel()
	jobs := prom.NewJobs(prom.JobsConfig{Buckets: []float64{1000}})
	client, mux := counted(t, redistest.Start(t), jobs)
	r := registry(t, jobs)
	inFlight := 0.0
	mux.Handle(exporter.Handler(func(_ context.Context, id int64) error {
		_, families := scraped(t, r)
		inFlight = values(families["resque_performs_in_flight"])["class=Exporter,queue=exports"]
		switch id {
		case 1:
			return errors.New("the disk is full")
		case 2:
			panic("at the disco")
		case 3:
			return resque.ErrDontPerform
		}
		return nil
	}))
	mux.Handle(exportJob.Handler(func(context.Context, int64) error { return nil }))
	ctx := t.Context()
	receipts, err := client.EnqueueAll(ctx, []resque.Job{exporter.Job(0), exporter.Job(1), exporter.Job(2), exporter.Job(3), exportJob.Job(1)})
	require.NoError(t, err)
	require.Equal(t, 5, receipts.Enqueued())
	_, err = client.Enqueue(ctx, resque.Define1[int64]("Exporter", "exports", resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) { return false, nil })).Job(1))
	require.NoError(t, err)
	_, err = client.Enqueue(ctx, resque.Define1[int64]("Exporter", "exports", resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) { return false, errors.New("no") })).Job(1))
	require.Error(t, err)
	work(ctx, t, client, mux, worker.Config{})
	assert.Equal(t, 1.0, inFlight)
	assert.NoError(t, testutil.GatherAndCompare(r, strings.NewReader(`
# HELP resque_enqueues_total Jobs that this program tried to enqueue, by outcome.
# TYPE resque_enqueues_total counter
resque_enqueues_total{class="ExportJob",outcome="queued",queue="exports"} 1
resque_enqueues_total{class="Exporter",outcome="failed",queue="exports"} 1
resque_enqueues_total{class="Exporter",outcome="queued",queue="exports"} 4
resque_enqueues_total{class="Exporter",outcome="vetoed",queue="exports"} 1
# HELP resque_performs_in_flight Jobs that this program is performing.
# TYPE resque_performs_in_flight gauge
resque_performs_in_flight{class="ExportJob",queue="exports"} 0
resque_performs_in_flight{class="Exporter",queue="exports"} 0
# HELP resque_performs_total Jobs that this program performed, by outcome.
# TYPE resque_performs_total counter
resque_performs_total{class="ExportJob",outcome="succeeded",queue="exports"} 1
resque_performs_total{class="Exporter",outcome="dropped",queue="exports"} 1
resque_performs_total{class="Exporter",outcome="failed",queue="exports"} 2
resque_performs_total{class="Exporter",outcome="succeeded",queue="exports"} 1
`), "resque_enqueues_total", "resque_performs_in_flight", "resque_performs_total"))
	_, families := scraped(t, r)
	durations := families["resque_perform_duration_seconds"].GetMetric()
	require.Len(t, durations, 2)
	assert.Equal(t, uint64(1), durations[0].GetHistogram().GetSampleCount())
	assert.Equal(t, uint64(4), durations[1].GetHistogram().GetSampleCount())
	assert.Positive(t, durations[1].GetHistogram().GetSampleSum())
	assert.Equal(t, uint64(4), durations[1].GetHistogram().GetBucket()[0].GetCumulativeCount(), "the configured bound")
}

func TestCanceledJobIsCountedAsCanceled(t *testing.T) {
	t.Parallel()
	jobs := prom.NewJobs(prom.JobsConfig{})
	client, mux := counted(t, redistest.Start(t), jobs)
	ctx, stop := context.WithCancel(t.Context())
	mux.Handle(exporter.Handler(func(ctx context.Context, _ int64) error {
		stop()
		<-ctx.Done()
		return ctx.Err()
	}))
	_, err := client.Enqueue(t.Context(), exporter.Job(1))
	require.NoError(t, err)
	work(ctx, t, client, mux, worker.Config{StopTimeout: time.Nanosecond})
	_, families := scraped(t, registry(t, jobs))
	assert.Equal(t, map[string]float64{"class=Exporter,outcome=canceled,queue=exports": 1}, values(families["resque_performs_total"]))
	assert.Equal(t, map[string]float64{"class=Exporter,queue=exports": 0}, values(families["resque_performs_in_flight"]))
}

func TestClassesBeyondTheLimitAreCountedTogether(t *testing.T) {
	t.Parallel()
	jobs := prom.NewJobs(prom.JobsConfig{MaxClasses: 3})
	client, mux := counted(t, redistest.StartEmbedded(t), jobs)
	for i := range 10 {
		class := fmt.Sprintf("Class%d", i)
		mux.HandleFunc(class, func(context.Context, *resque.Payload) error { return nil })
		_, err := client.Enqueue(t.Context(), resque.Job{Queue: "exports", Class: class})
		require.NoError(t, err)
	}
	work(t.Context(), t, client, mux, worker.Config{})
	status, families := scraped(t, registry(t, jobs))
	assert.Equal(t, 200, status)
	assert.Equal(t, map[string]float64{
		"class=(other),outcome=queued,queue=exports": 7, "class=Class0,outcome=queued,queue=exports": 1,
		"class=Class1,outcome=queued,queue=exports": 1, "class=Class2,outcome=queued,queue=exports": 1,
	}, values(families["resque_enqueues_total"]))
	assert.Equal(t, map[string]float64{
		"class=(other),queue=exports": 0, "class=Class0,queue=exports": 0, "class=Class1,queue=exports": 0, "class=Class2,queue=exports": 0,
	}, values(families["resque_performs_in_flight"]))
}

func TestInvalidUTF8IsQuoted(t *testing.T) {
	t.Parallel()
	jobs := prom.NewJobs(prom.JobsConfig{})
	client, _ := counted(t, redistest.StartEmbedded(t), jobs)
	_, err := client.Enqueue(t.Context(), resque.Job{Queue: "\xff", Class: "\xfe"})
	require.Error(t, err)
	status, families := scraped(t, registry(t, jobs))
	assert.Equal(t, 200, status)
	assert.Equal(t, map[string]float64{`class="\xfe",outcome=failed,queue="\xff"`: 1}, values(families["resque_enqueues_total"]))
}

func TestMetricsPassPrometheusLint(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	fill(t, s)
	jobs := prom.NewJobs(prom.JobsConfig{})
	client, mux := counted(t, s, jobs)
	mux.Handle(exporter.Handler(func(context.Context, int64) error { return nil }))
	_, err := client.Enqueue(t.Context(), exporter.Job(1))
	require.NoError(t, err)
	work(t.Context(), t, client, mux, worker.Config{})
	problems, err := testutil.GatherAndLint(registry(t, jobs, prom.NewRedis(client, prom.RedisConfig{})))
	require.NoError(t, err)
	assert.Empty(t, problems)
}

func TestInFlightReturnsToZeroIfAHandlerChangesTheJob(t *testing.T) {
	t.Parallel()
	jobs := prom.NewJobs(prom.JobsConfig{})
	handler := jobs.Perform(resque.HandlerFunc(func(_ context.Context, job *resque.Payload) error {
		job.Class, job.Queue = "Other", "others"
		return nil
	}))
	require.NoError(t, handler.Perform(t.Context(), &resque.Payload{Class: "Exporter", Queue: "exports"}))
	require.NoError(t, testutil.CollectAndCompare(jobs, strings.NewReader(`
# HELP resque_performs_in_flight Jobs that this program is performing.
# TYPE resque_performs_in_flight gauge
resque_performs_in_flight{class="Exporter",queue="exports"} 0
`), "resque_performs_in_flight"))
}
