// Package otel traces jobs with OpenTelemetry: a span where a job is enqueued,
// one where it is performed, and by choice the one is found from the other across
// Redis. It is a module of its own, so that programs without it do not depend on
// OpenTelemetry.
//
//	tracing := otel.New(otel.Config{})
//	client, err := resque.New(rdb, resque.Config{EnqueueHooks: []resque.EnqueueMiddleware{tracing.Enqueue}})
//	mux.Use(tracing.Perform)
//
// The names and attributes are those of OpenTelemetry's conventions for messaging;
// docs/metrics.md lists them. By default no payload changes, and a job's spans
// share its queue and class alone; see Config.Carry.
package otel
