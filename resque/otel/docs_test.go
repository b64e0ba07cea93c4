package otel_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/otel"
	"github.com/goresque/goresque/worker"
)

func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// attributed returns the names of the attributes of a span and its events.
func attributed(span tracetest.SpanStub) (names []string) {
	for _, a := range span.Attributes {
		names = append(names, string(a.Key))
	}
	for _, event := range span.Events {
		for _, a := range event.Attributes {
			names = append(names, string(a.Key))
		}
	}
	return names
}

func TestDocumentedSpansAndAttributesAreComplete(t *testing.T) {
	t.Parallel()
	b := newBench(t, otel.Config{Carry: true})
	b.mux.Handle(exportJob.Handler(func(context.Context, int64) error { panic("at the disco") }))
	b.enqueue(exportJob.Job(1))
	_, err := b.client.Enqueue(t.Context(), resque.Job{Queue: "exports"})
	require.Error(t, err)
	b.work(t.Context(), worker.Config{})
	seen := map[string]map[string]bool{} // operations by attribute
	for _, span := range b.spans.GetSpans() {
		operation, queue, _ := strings.Cut(span.Name, " ")
		assert.Equal(t, "exports", queue)
		for _, name := range attributed(span) {
			if seen[name] == nil {
				seen[name] = map[string]bool{}
			}
			seen[name][operation] = true
		}
	}

	text := page(t, "../../docs/metrics.md")
	described := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[a-z._`, ]+) \\| (both|enqueue|perform) \\|").FindAllStringSubmatch(text, -1) {
		for _, name := range regexp.MustCompile("`([a-z._]+)`").FindAllStringSubmatch(row[1], -1) {
			described[name[1]] = true
			want := map[string]bool{row[2]: true}
			if row[2] == "both" {
				want = map[string]bool{"enqueue": true, "perform": true}
			}
			assert.Equal(t, want, seen[name[1]], "operations of %s differ from docs/metrics.md", name[1])
		}
	}
	for name := range seen {
		assert.True(t, described[name], "%s is not in the table of docs/metrics.md", name)
	}
	assert.Contains(t, text, "| `enqueue QUEUE` | producer |")
	assert.Contains(t, text, "| `perform QUEUE` | consumer |")
}

func TestLibraryDoesNotRequireOpenTelemetry(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"../../go.mod", "../../go.sum"} {
		assert.NotContains(t, page(t, file), "opentelemetry", file)
	}
}
