package otel

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/goresque/goresque/resque"
)

// scope is what spans say they come from.
const scope = "github.com/goresque/goresque/resque/otel"

// Attributes that the conventions leave to the system. The class is named as by
// Ruby's instrumentation of Resque.
const (
	classKey   = attribute.Key("messaging.resque.job_class")
	outcomeKey = attribute.Key("messaging.resque.outcome")
	waitKey    = attribute.Key("messaging.resque.wait_seconds")
)

// Config is how jobs are traced. The zero value traces with the program's own
// provider, and leaves payloads as they are.
type Config struct {
	// TracerProvider makes the spans.
	//
	// Defaults to the global one, as it is when a span begins.
	TracerProvider trace.TracerProvider

	// Carry adds the trace's context to the payload of each job that is enqueued,
	// as members traceparent and tracestate behind class and args, where Ruby's
	// instrumentation puts it, too. Every Resque performs such a job, but what
	// compares bytes (Dequeue, Ruby's dequeue) does not find it any more.
	//
	// A context that is in a payload is heeded in any case, whoever put it there.
	Carry bool

	// NewTrace has each job that is performed begin a trace of its own, with a link
	// to the span that enqueued it, as Ruby's instrumentation does by default.
	// Without it the job is part of the trace in which it was enqueued, and has
	// the link as well.
	NewTrace bool

	// Propagator spells and reads what is carried. Its keys become members of
	// the payload.
	//
	// Defaults to propagation.TraceContext, which carries no baggage.
	Propagator propagation.TextMapPropagator
}

// Tracing is middleware for both sides. It is safe for concurrent use.
type Tracing struct {
	cfg    Config
	tracer trace.Tracer
}

// New returns the middleware.
func New(cfg Config) *Tracing {
	if cfg.TracerProvider == nil {
		cfg.TracerProvider = otel.GetTracerProvider() // it delegates to one that is set later
	}
	if cfg.Propagator == nil {
		cfg.Propagator = propagation.TraceContext{}
	}
	return &Tracing{cfg: cfg, tracer: cfg.TracerProvider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))}
}

// Enqueue is middleware, for resque.Config.EnqueueHooks or a definition's, with a
// span of kind producer around each job that is placed. What is not queued is
// an error of the span, unless a hook has vetoed it.
func (t *Tracing) Enqueue(next resque.EnqueueFunc) resque.EnqueueFunc {
	return func(ctx context.Context, job resque.Job) (queued bool, err error) {
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
		queued, err = next(ctx, job)
		switch {
		case err != nil:
			span.SetAttributes(semconv.ErrorTypeKey.String(text(resque.ExceptionName(err))))
			span.SetStatus(codes.Error, text(fmt.Sprint(err))) // its Error may panic
		case queued:
			span.SetAttributes(outcomeKey.String("queued"))
		default:
			span.SetAttributes(outcomeKey.String("vetoed"))
		}
		return queued, err
	}
}

// Perform is middleware, for Mux.Use or Route.Use, with a span of kind consumer
// around each job that is performed. A failure is an error of the span, with the
// name, text and backtrace under which it is recorded in Redis. A job that was
// told to end, or that ErrDontPerform has dropped, is none.
func (t *Tracing) Perform(next resque.Handler) resque.Handler {
	next = resque.TimePerform(end)(next)
	return resque.HandlerFunc(func(ctx context.Context, job *resque.Reserved) error {
		ctx = t.begin(ctx, job)
		return next.Perform(ctx, job)
	})
}

// begin begins the span of a job that is performed.
func (t *Tracing) begin(ctx context.Context, job *resque.Reserved) context.Context {
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
		if enqueued.TraceID() == around.TraceID() { // inline, inside of what enqueues it
			carried = trace.ContextWithSpanContext(carried, around)
		}
	}
	ctx = carried
	if t.cfg.NewTrace {
		options = append(options, trace.WithNewRoot())
	}
	ctx, span := t.tracer.Start(ctx, "perform "+queue, options...) // ended by end
	if span.IsRecording() {
		span.SetAttributes(details(job)...)
	}
	return ctx
}

// details are what only a span that is kept needs to know.
func details(job *resque.Reserved) []attribute.KeyValue {
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

// end ends the span of a job that was performed.
func end(ctx context.Context, job *resque.Reserved, _ time.Duration, err error) {
	span := trace.SpanFromContext(ctx)
	defer span.End()
	if !span.IsRecording() {
		return
	}
	outcome, reason := resque.OutcomeOf(ctx, err)
	span.SetAttributes(outcomeKey.String(string(outcome)))
	if outcome == resque.Failed {
		fail(span, resque.NewFailure(job, reason, time.Now()))
	}
}
