package otel_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/resque/otel"
	"github.com/goresque/goresque/worker"
)

var (
	exporter  = resque.Define1[int64]("Exporter", "exports")
	exportJob = activejob.Define1[int64]("ExportJob", "exports")
)

// bench has a client and a mux that are traced, on a new Redis.
type bench struct {
	t      *testing.T
	spans  *tracetest.InMemoryExporter
	tracer trace.Tracer // of the program that enqueues
	client *resque.Client
	mux    *resque.Mux
}

func newBench(t *testing.T, cfg otel.Config, options ...sdk.TracerProviderOption) *bench {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(append(options, sdk.WithSyncer(spans))...)
	cfg.TracerProvider = provider
	tracing := otel.New(cfg)
	b := &bench{t: t, spans: spans, tracer: provider.Tracer("test"), mux: resque.NewMux()}
	b.mux.Use(tracing.Perform)
	var err error
	b.client, err = resque.New(redistest.Start(t).Open(t), resque.Config{EnqueueHooks: []resque.EnqueueMiddleware{tracing.Enqueue}})
	require.NoError(t, err)
	return b
}

// work performs the jobs in the queue.
func (b *bench) work(ctx context.Context, cfg worker.Config) {
	b.t.Helper()
	cfg.Queues, cfg.UntilEmpty, cfg.Logger = []string{"exports"}, true, slog.New(slog.DiscardHandler)
	w, err := worker.New(b.client, b.mux, cfg)
	require.NoError(b.t, err)
	require.NoError(b.t, w.Run(ctx))
}

func (b *bench) enqueue(job resque.Job) {
	b.t.Helper()
	receipt, err := b.client.Enqueue(b.t.Context(), job)
	require.NoError(b.t, err)
	require.True(b.t, receipt.Enqueued())
}

// waiting returns the payloads in the queue.
func (b *bench) waiting() (payloads []string) {
	b.t.Helper()
	for job, err := range b.client.Peek(b.t.Context(), "exports", 0, -1) {
		require.NoError(b.t, err)
		payloads = append(payloads, string(job.Raw))
	}
	return payloads
}

// named returns the ended spans with the given name.
func (b *bench) named(name string) tracetest.SpanStubs {
	b.t.Helper()
	var found tracetest.SpanStubs
	for _, span := range b.spans.GetSpans() {
		if span.Name == name {
			found = append(found, span)
		}
	}
	return found
}

func (b *bench) only(name string) tracetest.SpanStub {
	b.t.Helper()
	spans := b.named(name)
	require.Len(b.t, spans, 1, name)
	return spans[0]
}

func attributes(span tracetest.SpanStub) map[string]any {
	all := map[string]any{}
	for _, a := range span.Attributes {
		all[string(a.Key)] = a.Value.AsInterface()
	}
	return all
}

func TestPayloadsAreUnchangedByDefault(t *testing.T) {
	t.Parallel()
	b := newBench(t, otel.Config{})
	b.mux.Handle(exporter.Handler(func(context.Context, int64) error { return nil }))
	b.enqueue(exporter.Job(42))
	assert.Equal(t, []string{`{"class":"Exporter","args":[42]}`}, b.waiting())
	b.work(t.Context(), worker.Config{})

	producer, consumer := b.only("enqueue exports"), b.only("perform exports")
	assert.Equal(t, trace.SpanKindProducer, producer.SpanKind)
	assert.Equal(t, map[string]any{
		"messaging.system": "resque", "messaging.operation.name": "enqueue", "messaging.operation.type": "send",
		"messaging.destination.name": "exports", "messaging.resque.job_class": "Exporter", "messaging.resque.outcome": "queued",
	}, attributes(producer))
	assert.Equal(t, trace.SpanKindConsumer, consumer.SpanKind)
	got := attributes(consumer)
	assert.Contains(t, got["messaging.client.id"], "~go:")
	delete(got, "messaging.client.id")
	assert.Equal(t, map[string]any{
		"messaging.system": "resque", "messaging.operation.name": "perform", "messaging.operation.type": "process",
		"messaging.destination.name": "exports", "messaging.resque.job_class": "Exporter", "messaging.resque.outcome": "succeeded",
	}, got)
	assert.Empty(t, consumer.Links)
	assert.False(t, consumer.Parent.IsValid())
	assert.NotEqual(t, producer.SpanContext.TraceID(), consumer.SpanContext.TraceID())
	assert.Equal(t, codes.Unset, consumer.Status.Code)
	assert.NotEmpty(t, consumer.InstrumentationScope.SchemaURL)
}

func TestCarryConnectsTheSpans(t *testing.T) {
	t.Parallel()
	for _, newTrace := range []bool{false, true} {
		t.Run(fmt.Sprintf("new trace %v", newTrace), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, otel.Config{Carry: true, NewTrace: newTrace})
			var inside trace.SpanContext
			b.mux.Handle(exporter.Handler(func(ctx context.Context, _ int64) error {
				inside = trace.SpanContextFromContext(ctx)
				return nil
			}))
			ctx, request := b.tracer.Start(t.Context(), "request")
			_, err := b.client.Enqueue(ctx, exporter.Job(42))
			require.NoError(t, err)
			request.End()
			producer := b.only("enqueue exports")
			assert.Equal(t, request.SpanContext().SpanID(), producer.Parent.SpanID())
			assert.Equal(t, []string{fmt.Sprintf(`{"class":"Exporter","args":[42],"traceparent":"00-%s-%s-01"}`,
				producer.SpanContext.TraceID(), producer.SpanContext.SpanID())}, b.waiting())
			b.work(t.Context(), worker.Config{})

			consumer := b.only("perform exports")
			require.Len(t, consumer.Links, 1)
			assert.Equal(t, producer.SpanContext.SpanID(), consumer.Links[0].SpanContext.SpanID())
			assert.Equal(t, consumer.SpanContext.SpanID(), inside.SpanID(), "the handler's context must have this span")
			if newTrace {
				assert.False(t, consumer.Parent.IsValid())
				assert.NotEqual(t, producer.SpanContext.TraceID(), consumer.SpanContext.TraceID())
				return
			}
			assert.Equal(t, producer.SpanContext.SpanID(), consumer.Parent.SpanID())
			assert.Equal(t, producer.SpanContext.TraceID(), consumer.SpanContext.TraceID())
		})
	}
}

func TestRequeuedJobKeepsItsTrace(t *testing.T) {
	t.Parallel()
	b := newBench(t, otel.Config{Carry: true})
	wrong := errors.New("the disk is full")
	b.mux.Handle(exporter.Handler(func(context.Context, int64) error { return wrong }))
	b.enqueue(exporter.Job(42))
	before := b.waiting()
	b.work(t.Context(), worker.Config{})
	failures := b.client.Failures()
	for f, err := range failures.Newest(t.Context(), resque.FailureFilter{}) {
		require.NoError(t, err)
		assert.Equal(t, before[0], string(f.Payload))
		_, err = failures.Requeue(t.Context(), resque.RequeueOptions{}, f.ID)
		require.NoError(t, err)
	}
	assert.Equal(t, before, b.waiting())
	wrong = nil
	b.work(t.Context(), worker.Config{})
	performed := b.named("perform exports")
	require.Len(t, performed, 2)
	producer := b.only("enqueue exports")
	for i, want := range []codes.Code{codes.Error, codes.Unset} {
		assert.Equal(t, want, performed[i].Status.Code)
		assert.Equal(t, producer.SpanContext.TraceID(), performed[i].SpanContext.TraceID())
	}
}

func TestEnqueueAllMakesASpanForEachJob(t *testing.T) {
	t.Parallel()
	b := newBench(t, otel.Config{Carry: true})
	b.mux.Handle(exporter.Handler(func(context.Context, int64) error { return nil }))
	ctx, request := b.tracer.Start(t.Context(), "request")
	receipts, err := b.client.EnqueueAll(ctx, []resque.Job{exporter.Job(1), exporter.Job(2), exporter.Job(3)})
	require.NoError(t, err)
	request.End()
	require.Equal(t, 3, receipts.Enqueued())
	b.work(t.Context(), worker.Config{})
	parents := map[trace.SpanID]bool{}
	for _, span := range b.named("enqueue exports") {
		assert.Equal(t, request.SpanContext().SpanID(), span.Parent.SpanID())
		parents[span.SpanContext.SpanID()] = true
	}
	require.Len(t, parents, 3)
	for _, span := range b.named("perform exports") {
		assert.True(t, parents[span.Parent.SpanID()])
		delete(parents, span.Parent.SpanID())
	}
	assert.Empty(t, parents)
}

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	spanID  = "b7ad6b7169203331"
	parent  = "00-" + traceID + "-" + spanID + "-01"
)

// Ruby's instrumentation of Resque writes the context into the payload, that of
// ActiveJob into the job's data.
func TestContextsFromRubyAreRead(t *testing.T) {
	t.Parallel()
	rails := func(data string) string {
		return `{"class":"` + activejob.JobWrapper + `","args":[{"job_class":"ExportJob","job_id":"9c7a","arguments":[1]` + data + `}]}`
	}
	for name, c := range map[string]struct{ payload, state string }{
		"resque":                {payload: `{"class":"Exporter","args":[1],"traceparent":"` + parent + `","tracestate":"a=b"}`, state: "a=b"},
		"activejob":             {payload: rails(`,"__otel_headers":[["traceparent","` + parent + `"],["tracestate","a=b"]]`), state: "a=b"},
		"activejob on resque":   {payload: strings.Replace(rails(``), `"args"`, `"traceparent":"`+parent+`","args"`, 1)},
		"activejob, no headers": {payload: strings.Replace(rails(`,"__otel_headers":[]`), `"args"`, `"traceparent":"`+parent+`","args"`, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, otel.Config{})
			b.mux.Handle(exporter.Handler(func(context.Context, int64) error { return nil }))
			b.mux.Handle(exportJob.Handler(func(context.Context, int64) error { return nil }))
			require.NoError(t, b.client.Push(t.Context(), "exports", []byte(c.payload)))
			b.work(t.Context(), worker.Config{})
			span := b.only("perform exports")
			assert.Equal(t, codes.Unset, span.Status.Code, span.Status.Description)
			assert.Equal(t, traceID, span.SpanContext.TraceID().String())
			assert.Equal(t, spanID, span.Parent.SpanID().String())
			assert.Equal(t, c.state, span.SpanContext.TraceState().String())
		})
	}
}

func TestInvalidContextsAreIgnored(t *testing.T) {
	t.Parallel()
	for _, member := range []string{`"traceparent":7`, `"traceparent":"nonsense"`, `"traceparent":null`, `"__otel_headers":{}`} {
		b := newBench(t, otel.Config{})
		b.mux.Handle(exporter.Handler(func(context.Context, int64) error { return nil }))
		b.mux.Handle(exportJob.Handler(func(context.Context, int64) error { return nil }))
		require.NoError(t, b.client.Push(t.Context(), "exports", []byte(`{"class":"Exporter","args":[1],`+member+`}`)))
		require.NoError(t, b.client.Push(t.Context(), "exports", []byte(
			`{"class":"`+activejob.JobWrapper+`","args":[{"job_class":"ExportJob","arguments":[1],`+member+`}]}`)))
		b.work(t.Context(), worker.Config{})
		for _, span := range b.named("perform exports") {
			assert.False(t, span.Parent.IsValid(), member)
			assert.Empty(t, span.Links, member)
			assert.Equal(t, codes.Unset, span.Status.Code, span.Status.Description)
		}
	}
}

func TestRailsJobsHaveTheirOwnClassAndID(t *testing.T) {
	t.Parallel()
	b := newBench(t, otel.Config{Carry: true})
	b.mux.Handle(exportJob.Handler(func(context.Context, int64) error { return nil }))
	b.enqueue(exportJob.Job(42))
	b.work(t.Context(), worker.Config{})
	producer, consumer := b.only("enqueue exports"), b.only("perform exports")
	assert.Equal(t, producer.SpanContext.SpanID(), consumer.Parent.SpanID())
	assert.Equal(t, "ExportJob", attributes(producer)["messaging.resque.job_class"])
	got := attributes(consumer)
	assert.Equal(t, "ExportJob", got["messaging.resque.job_class"])
	assert.Len(t, got["messaging.message.id"], 36)
	assert.Less(t, got["messaging.resque.wait_seconds"], 60.0)
	assert.GreaterOrEqual(t, got["messaging.resque.wait_seconds"], 0.0)
}

func TestInlineJobsSpanIsAChildOfEnqueue(t *testing.T) {
	t.Parallel()
	for _, carry := range []bool{false, true} {
		b := newBench(t, otel.Config{})
		tracing := otel.New(otel.Config{TracerProvider: provider(b.spans), Carry: carry})
		mux := resque.NewMux()
		mux.Use(tracing.Perform)
		mux.Handle(exporter.Handler(func(context.Context, int64) error { return nil }))
		client, err := resque.New(nil, resque.Config{Inline: mux, EnqueueHooks: []resque.EnqueueMiddleware{tracing.Enqueue}})
		require.NoError(t, err)
		_, err = client.Enqueue(t.Context(), exporter.Job(1))
		require.NoError(t, err)
		producer, consumer := b.only("enqueue exports"), b.only("perform exports")
		assert.Equal(t, producer.SpanContext.SpanID(), consumer.Parent.SpanID())
		assert.False(t, consumer.Parent.IsRemote())
	}
}

func provider(spans *tracetest.InMemoryExporter) *sdk.TracerProvider {
	return sdk.NewTracerProvider(sdk.WithSyncer(spans))
}

func TestVetoIsNotAnErrorButAFailedEnqueueIs(t *testing.T) {
	t.Parallel()
	b := newBench(t, otel.Config{})
	veto := resque.Define1[int64]("Exporter", "exports", resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) { return false, nil }))
	receipt, err := b.client.Enqueue(t.Context(), veto.Job(1))
	require.NoError(t, err)
	assert.False(t, receipt.Enqueued())
	span := b.only("enqueue exports")
	assert.Equal(t, "vetoed", attributes(span)["messaging.resque.outcome"])
	assert.Equal(t, codes.Unset, span.Status.Code)
	b.spans.Reset()
	_, err = b.client.Enqueue(t.Context(), resque.Job{Queue: "exports"})
	require.ErrorIs(t, err, resque.ErrNoClass)
	span = b.only("enqueue exports")
	assert.Equal(t, codes.Error, span.Status.Code)
	assert.Equal(t, resque.ErrNoClass.Error(), span.Status.Description)
	assert.NotEmpty(t, attributes(span)["error.type"])
}

func TestSpansHaveOutcomeAndException(t *testing.T) {
	t.Parallel()
	b := newBench(t, otel.Config{})
	b.mux.HandleFunc("Bad", func(context.Context, *resque.Payload) error {
		return fmt.Errorf("exporting: %w", &resque.ArityError{Class: "Bad"})
	})
	b.mux.HandleFunc("Panic", func(context.Context, *resque.Payload) error { panic("at the disco") })
	b.mux.HandleFunc("Drop", func(context.Context, *resque.Payload) error { return resque.ErrDontPerform })
	b.mux.HandleFunc("Nil", func(context.Context, *resque.Payload) error { return (*resque.PanicError)(nil) })
	slow := resque.Define0("Slow", "exports", resque.Timeout(time.Millisecond))
	b.mux.Handle(slow.Handler(func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}))
	for class, want := range map[string]struct {
		outcome, exception, text string
		trace                    bool
	}{
		"Bad":   {"failed", "ArgumentError", "exporting: Bad: wrong number of arguments (given 0, expected 0)", false},
		"Panic": {"failed", "PanicError", "panic: at the disco", true},
		"Drop":  {outcome: "dropped"},
		"Nil":   {outcome: "failed", exception: "PanicError", text: "panic: runtime error: invalid memory address or nil pointer dereference", trace: true},
		"Slow":  {outcome: "failed", exception: "Timeout::Error", text: "Slow: execution expired after 1ms"},
	} {
		b.spans.Reset()
		require.NoError(t, b.client.Push(t.Context(), "exports", []byte(`{"class":"`+class+`","args":[]}`)))
		b.work(t.Context(), worker.Config{})
		span := b.only("perform exports")
		assert.Equal(t, want.outcome, attributes(span)["messaging.resque.outcome"], class)
		if want.exception == "" {
			assert.Equal(t, codes.Unset, span.Status.Code, class)
			assert.Empty(t, span.Events, class)
			continue
		}
		assert.Equal(t, codes.Error, span.Status.Code, class)
		assert.Equal(t, want.text, span.Status.Description, class)
		assert.Equal(t, want.exception, attributes(span)["error.type"], class)
		require.Len(t, span.Events, 1, class)
		event := attribute.NewSet(span.Events[0].Attributes...)
		stack, traced := event.Value("exception.stacktrace")
		assert.Equal(t, want.trace, traced, class)
		if class == "Panic" {
			assert.Contains(t, strings.Split(stack.AsString(), "\n")[0], "tracing_test.go:", "the first frame must be the handler's")
			assert.NotContains(t, stack.AsString(), "otel/tracing.go")
		}
	}
}

func TestCanceledJobIsNotAnError(t *testing.T) {
	t.Parallel()
	b := newBench(t, otel.Config{})
	begun := make(chan struct{})
	b.mux.Handle(exporter.Handler(func(ctx context.Context, _ int64) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}))
	b.enqueue(exporter.Job(1))
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		<-begun
		stop()
	}()
	b.work(ctx, worker.Config{StopTimeout: time.Nanosecond, OnShutdown: worker.RequeueInterrupted})
	span := b.only("perform exports")
	assert.Equal(t, "canceled", attributes(span)["messaging.resque.outcome"])
	assert.Equal(t, codes.Unset, span.Status.Code)
	assert.Equal(t, []string{`{"class":"Exporter","args":[1]}`}, b.waiting())
}

func TestUnsampledTraceIsCarriedButNotRecorded(t *testing.T) {
	t.Parallel()
	b := newBench(t, otel.Config{Carry: true}, sdk.WithSampler(sdk.ParentBased(sdk.NeverSample())))
	b.mux.Handle(exporter.Handler(func(ctx context.Context, _ int64) error {
		assert.False(t, trace.SpanFromContext(ctx).IsRecording())
		return nil
	}))
	b.enqueue(exporter.Job(1))
	assert.Regexp(t, `"traceparent":"00-\w+-\w+-00"}$`, b.waiting()[0])
	b.work(t.Context(), worker.Config{})
	assert.Empty(t, b.spans.GetSpans())
}

func TestPropagatorMayCarryBaggage(t *testing.T) {
	t.Parallel()
	b := newBench(t, otel.Config{Carry: true, Propagator: propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})})
	b.mux.Handle(exporter.Handler(func(ctx context.Context, _ int64) error { return nil }))
	ctx := propagation.Baggage{}.Extract(t.Context(), propagation.MapCarrier{"baggage": "tenant=acme"})
	_, err := b.client.Enqueue(ctx, exporter.Job(1))
	require.NoError(t, err)
	assert.Contains(t, b.waiting()[0], `"baggage":"tenant=acme"`)
}

func TestZeroConfigUsesTheGlobalProvider(t *testing.T) {
	t.Parallel()
	tracing := otel.New(otel.Config{Carry: true})
	mux := resque.NewMux()
	mux.Use(tracing.Perform)
	mux.Handle(exporter.Handler(func(context.Context, int64) error { return nil }))
	client, err := resque.New(nil, resque.Config{Inline: mux, EnqueueHooks: []resque.EnqueueMiddleware{tracing.Enqueue}})
	require.NoError(t, err)
	receipt, err := client.Enqueue(t.Context(), exporter.Job(1))
	require.NoError(t, err)
	assert.True(t, receipt.Enqueued())
}

// Because of one invalid text, an exporter would fail to send a whole batch.
func TestInvalidUTF8IsReplaced(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	tracing := otel.New(otel.Config{TracerProvider: sdk.NewTracerProvider(sdk.WithSyncer(spans))})
	mux := resque.NewMux()
	mux.Use(tracing.Perform)
	mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error { return errors.New("no \xff") })
	job := &resque.Payload{Class: "Exporter", Queue: "q\xff", Worker: "host:1:q\xff", Raw: []byte(`{"class":"Exporter","args":[]}`)}
	require.Error(t, mux.Perform(t.Context(), job))
	_, err := tracing.Enqueue(func(context.Context, resque.Job) (resque.Receipt, error) {
		return resque.Receipt{}, errors.New("no \xff")
	})(
		t.Context(), resque.Job{Class: "Exporter\xff", Queue: "q\xff"})
	require.Error(t, err)
	require.Len(t, spans.GetSpans(), 2)
	for _, span := range spans.GetSpans() {
		texts := []string{span.Name, span.Status.Description}
		for _, event := range span.Events {
			span.Attributes = append(span.Attributes, event.Attributes...)
		}
		for _, a := range span.Attributes {
			texts = append(texts, a.Value.Emit())
		}
		for _, text := range texts {
			assert.True(t, utf8.ValidString(text), "%q", text)
		}
		assert.Equal(t, "no \uFFFD", span.Status.Description)
	}
}

// A hook may return a nil pointer as an error.
func TestErrorMethodThatPanicsIsRecorded(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	tracing := otel.New(otel.Config{TracerProvider: sdk.NewTracerProvider(sdk.WithSyncer(spans))})
	var nilError *resque.UnknownClassError
	place := tracing.Enqueue(func(context.Context, resque.Job) (resque.Receipt, error) {
		return resque.Receipt{State: resque.Queued}, nilError
	})
	assert.NotPanics(t, func() {
		receipt, err := place(t.Context(), exporter.Job(1))
		assert.True(t, receipt.Enqueued())
		assert.Equal(t, nilError, err)
	})
	require.Len(t, spans.GetSpans(), 1)
	assert.Equal(t, codes.Error, spans.GetSpans()[0].Status.Code)
}
