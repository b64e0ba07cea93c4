package otel_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/resque/otel"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/worker"
)

// meters counts what is added to counters, by their names and attributes.
type meters struct {
	noop.MeterProvider

	mu    sync.Mutex
	sums  map[string]int64
	wrong error // of creating a counter
}

type sum struct {
	noop.Int64Counter

	m    *meters
	name string
}

func (m *meters) Meter(string, ...metric.MeterOption) metric.Meter { return meter{m: m} }

type meter struct {
	noop.Meter

	m *meters
}

func (m meter) Int64Counter(name string, _ ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return sum{m: m.m, name: name}, m.m.wrong
}

func (s sum) Add(_ context.Context, n int64, options ...metric.AddOption) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	set := metric.NewAddConfig(options).Attributes()
	s.m.sums[s.name+" "+set.Encoded(attribute.DefaultEncoder())] += n
}

func TestRetriesAreCounted(t *testing.T) {
	t.Parallel()
	provider := &meters{sums: map[string]int64{}}
	metrics, err := otel.NewMetrics(otel.MetricsConfig{MeterProvider: provider})
	require.NoError(t, err)
	client := redistest.Start(t).Client(t)
	fails := resque.Define1[int]("Fails", "exports", retry.Policy{Limit: 2, OnRetry: metrics.Retried})
	rails := activejob.Define1[int]("Rails", "exports", activejob.Retry{Attempts: 2, Wait: activejob.NoWait, OnRetry: metrics.Retried})
	mux := resque.NewMux()
	boom := func(context.Context, int) error { return errors.New("boom") }
	mux.Handle(fails.Handler(boom))
	mux.Handle(rails.Handler(boom))
	_, err = client.EnqueueAll(t.Context(), []resque.Job{fails.Job(1), fails.Job(2), rails.Job(1)})
	require.NoError(t, err)
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"exports"}, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, w.Run(t.Context()))
	const with = "messaging.resque.retries messaging.destination.name=exports,messaging.resque.job_class="
	assert.Equal(t, map[string]int64{
		with + "Fails,messaging.system=resque": 4, // the last attempts are not followed by another one
		with + "Rails,messaging.system=resque": 1,
	}, provider.sums)

	provider.wrong = errors.New("no more counters")
	_, err = otel.NewMetrics(otel.MetricsConfig{MeterProvider: provider})
	assert.ErrorIs(t, err, provider.wrong)
	metrics, err = otel.NewMetrics(otel.MetricsConfig{})
	require.NoError(t, err)
	metrics.Retried(t.Context(), &resque.Payload{}, retry.State{}) // the global provider does nothing
}

// The page names the counter and its attributes.
func TestDocumentedCounter(t *testing.T) {
	t.Parallel()
	text := page(t, "../../docs/metrics.md")
	for _, want := range []string{"`messaging.resque.retries`", "OnRetry: metrics.Retried", "otel.NewMetrics("} {
		assert.True(t, strings.Contains(text, want), want)
	}
}
