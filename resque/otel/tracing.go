package otel

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.30.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/goresque/goresque/resque"
)

// scope is the instrumentation scope of the spans.
const scope = "github.com/goresque/goresque/resque/otel"

// Attributes that the conventions do not define. The key of the class is that of
// Ruby's instrumentation of Resque.
const (
	classKey   = attribute.Key("messaging.resque.job_class")
	outcomeKey = attribute.Key("messaging.resque.outcome")
	waitKey    = attribute.Key("messaging.resque.wait_seconds")
)

// Config configures a [Tracing]. The zero value traces with the global provider
// and does not change payloads.
type Config struct {
	// TracerProvider creates the spans.
	//
	// Defaults to the global provider, also if it is set after New.
	TracerProvider trace.TracerProvider

	// Carry adds the trace context to the payload of each job that is enqueued, as
	// the members traceparent and tracestate after class and args, as Ruby's
	// instrumentation does. Every Resque performs such a job, but methods that
	// compare bytes (Dequeue, Ruby's dequeue) no longer find it.
	//
	// A trace context in a payload is always read, also without Carry.
	Carry bool

	// NewTrace starts a new trace for each job that is performed, as Ruby's
	// instrumentation does by default. Otherwise the job belongs to the trace in
	// which it was enqueued. In both cases its span has a link to the span of
	// enqueueing it.
	NewTrace bool

	// Propagator writes and reads the trace context. Its keys are members of the
	// payload.
	//
	// Defaults to propagation.TraceContext, which does not carry baggage.
	Propagator propagation.TextMapPropagator
}

// Tracing is middleware that traces enqueueing and performing. It is safe for
// concurrent use.
type Tracing struct {
	cfg    Config
	tracer trace.Tracer
}

// New returns a Tracing.
func New(cfg Config) *Tracing {
	if cfg.TracerProvider == nil {
		cfg.TracerProvider = otel.GetTracerProvider() // it delegates to a provider that is set later
	}
	if cfg.Propagator == nil {
		cfg.Propagator = propagation.TraceContext{}
	}
	return &Tracing{cfg: cfg, tracer: cfg.TracerProvider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))}
}

// Enqueue is middleware for the EnqueueHooks of resque.Config, or a setting of a definition
// (resque.EnqueueMiddleware(t.Enqueue)).
// It makes a span of kind producer for each job that is enqueued. If enqueueing
// fails, the span's status is error. A veto by a hook is not an error.
func (t *Tracing) Enqueue(next resque.EnqueueFunc) resque.EnqueueFunc {
	return func(ctx context.Context, job resque.Job) (receipt resque.Receipt, err error) {
		queue := text(job.Queue)
		ctx, span := t.tracer.Start(ctx, "enqueue "+queue, trace.WithSpanKind(trace.SpanKindProducer),
			trace.WithAttributes(
				semconv.MessagingSystemKey.String("resque"),
				semconv.MessagingOperationName("enqueue"), semconv.MessagingOperationTypeSend,
				semconv.MessagingDestinationName(queue), classKey.String(text(job.InnerClass())),
			))
		defer span.End()
		if t.cfg.Carry {
			t.cfg.Propagator.Inject(ctx, carrier{&job})
		}
		receipt, err = next(ctx, job)
		switch {
		case err != nil:
			span.SetAttributes(semconv.ErrorTypeKey.String(text(resque.ExceptionName(err))))
			span.SetStatus(codes.Error, text(fmt.Sprint(err))) // the error's Error method may panic
		case receipt.Enqueued():
			span.SetAttributes(outcomeKey.String("queued"))
		default:
			span.SetAttributes(outcomeKey.String("vetoed"))
		}
		return receipt, err
	}
}

// Perform is middleware for Mux.Use or Route.Use. It makes a span of kind consumer
// for each job that is performed. If the job fails, the span's status is error, and
// it has the exception, text and backtrace that are recorded in Redis. A job that
// was canceled, or dropped by ErrDontPerform, is not an error.
func (t *Tracing) Perform(next resque.Handler) resque.Handler {
	next = resque.TimePerform(end)(next)
	return resque.HandlerFunc(func(ctx context.Context, job *resque.Payload) error {
		ctx = t.begin(ctx, job)
		return next.Perform(ctx, job)
	})
}

// begin starts the span of a job that is performed.
func (t *Tracing) begin(ctx context.Context, job *resque.Payload) context.Context {
	queue := text(job.Queue)
	options := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			semconv.MessagingSystemKey.String("resque"),
			semconv.MessagingOperationName("perform"), semconv.MessagingOperationTypeProcess,
			semconv.MessagingDestinationName(queue), classKey.String(text(job.Class)),
		),
	}
	around, carried := trace.SpanContextFromContext(ctx), t.cfg.Propagator.Extract(ctx, payload{job})
	if enqueued := trace.SpanContextFromContext(carried); enqueued.IsValid() && enqueued.IsRemote() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: enqueued}))
		if enqueued.TraceID() == around.TraceID() { // an inline client: the span of enqueueing has not ended
			carried = trace.ContextWithSpanContext(carried, around)
		}
	}
	ctx = carried
	if t.cfg.NewTrace {
		options = append(options, trace.WithNewRoot())
	}
	ctx, span := t.tracer.Start(ctx, "perform "+queue, options...) // end ends it
	if span.IsRecording() {
		span.SetAttributes(details(job)...)
	}
	return ctx
}

// details returns the attributes that are only computed for a span that is recorded.
func details(job *resque.Payload) []attribute.KeyValue {
	var known []attribute.KeyValue
	if job.Worker != "" {
		known = append(known, semconv.MessagingClientID(text(job.Worker)))
	}
	if id := railsID(job); id != "" {
		known = append(known, semconv.MessagingMessageID(text(id)))
	}
	if since, ok := job.WaitingSince(); ok {
		known = append(known, waitKey.Float64(max(time.Since(since), 0).Seconds()))
	}
	return known
}

// end sets the result of a job that was performed and ends its span.
func end(ctx context.Context, job *resque.Payload, _ time.Duration, err error) {
	span := trace.SpanFromContext(ctx)
	defer span.End()
	if !span.IsRecording() {
		return
	}
	outcome, reason := resque.ResultOf(ctx, err)
	span.SetAttributes(outcomeKey.String(string(outcome)))
	if outcome == resque.ResultFailed {
		fail(span, resque.NewFailure(job, reason, time.Now()))
	}
}
