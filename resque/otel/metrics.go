package otel

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.30.0"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
)

// retriesName is the name of the counter of retries.
const retriesName = "messaging.resque.retries"

// MetricsConfig configures a [Metrics]. The zero value works.
type MetricsConfig struct {
	// MeterProvider creates the instruments.
	//
	// Defaults to the global provider, also if it is set after NewMetrics.
	MeterProvider metric.MeterProvider
}

// Metrics counts what no span shows: whether a job that has failed is performed again. It
// is safe for concurrent use.
type Metrics struct{ retries metric.Int64Counter }

// NewMetrics returns a Metrics. The error is that of the provider.
func NewMetrics(cfg MetricsConfig) (*Metrics, error) {
	if cfg.MeterProvider == nil {
		cfg.MeterProvider = otel.GetMeterProvider() // it delegates to a provider that is set later
	}
	retries, err := cfg.MeterProvider.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL)).Int64Counter(retriesName,
		metric.WithDescription("Failed attempts after which the job is performed again."), metric.WithUnit("{attempt}"))
	if err != nil {
		return nil, fmt.Errorf("otel: creating the counter %s: %w", retriesName, err)
	}
	return &Metrics{retries}, nil
}

// Retried counts a failed attempt after which the job is performed again. Use it as the
// OnRetry of a retry.Policy or an activejob.Retry. The worker calls it, also if the job was
// performed in a child process.
func (m *Metrics) Retried(ctx context.Context, job *resque.Payload, _ retry.State) {
	m.retries.Add(ctx, 1, metric.WithAttributes(
		semconv.MessagingSystemKey.String("resque"),
		semconv.MessagingDestinationName(text(job.Queue)), classKey.String(text(job.Class)),
	))
}
