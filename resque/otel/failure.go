package otel

import (
	"strings"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/goresque/goresque/resque"
)

// fail makes a span an error, in the words in which the failure is recorded.
func fail(span trace.Span, f resque.Failure) {
	span.SetAttributes(semconv.ErrorTypeKey.String(f.Exception))
	span.SetStatus(codes.Error, f.Error)
	event := trace.WithAttributes(semconv.ExceptionType(f.Exception), semconv.ExceptionMessage(f.Error))
	if len(f.Backtrace) == 0 {
		span.AddEvent("exception", event)
		return
	}
	span.AddEvent("exception", event, trace.WithAttributes(semconv.ExceptionStacktrace(strings.Join(f.Backtrace, "\n"))))
}
