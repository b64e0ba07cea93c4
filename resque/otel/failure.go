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

// text is s without what is no UTF-8: an exporter would give up all spans that are
// sent with it.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
