// Package otel traces jobs with OpenTelemetry. A job has a span when it is enqueued
// and a span when it is performed. With Config.Carry, the second is linked to the
// first through the payload. The package is a separate module, so that programs
// that do not use it do not depend on OpenTelemetry.
//
//	tracing := otel.New(otel.Config{})
//	client, err := resque.New(rdb, resque.Config{EnqueueHooks: []resque.EnqueueMiddleware{tracing.Enqueue}})
//	mux.Use(tracing.Perform)
//
// [Metrics] counts the failed attempts after which a job is performed again.
//
// Names and attributes follow OpenTelemetry's conventions for messaging;
// docs/metrics.md lists them. By default payloads are unchanged, and the two spans
// of a job have only its queue and class in common.
package otel
