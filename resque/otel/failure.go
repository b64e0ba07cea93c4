package otel

import (
	"strings"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.30.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/goresque/goresque/resque"
)

// fail sets the status of a span to error, with the exception, text and backtrace
// of the failure.
func fail(span trace.Span, f resque.Failure) {
	exception, message := text(f.Exception), text(f.Error)
	span.SetAttributes(semconv.ErrorTypeKey.String(exception))
	span.SetStatus(codes.Error, message)
	event := trace.WithAttributes(semconv.ExceptionType(exception), semconv.ExceptionMessage(message))
	if len(f.Backtrace) == 0 {
		span.AddEvent("exception", event)
		return
	}
	span.AddEvent("exception", event, trace.WithAttributes(semconv.ExceptionStacktrace(text(strings.Join(f.Backtrace, "\n")))))
}

// text replaces bytes in s that are not UTF-8. Because of one invalid text, an
// exporter would fail to send a whole batch of spans.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
