//go:build unix

package otel_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/otel"
	"github.com/goresque/goresque/worker"
)

// forked is a job that a child process performs. Its argument is the file that the
// child writes its spans to.
var forked = resque.Define1[string]("Forked", "exports")

func TestMain(m *testing.M) {
	if !worker.IsChild() {
		os.Exit(m.Run())
	}
	if err := beChild(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// beChild serves as a child process. As in a real program, spans are exported in
// batches.
func beChild(ctx context.Context) error {
	recorded := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithBatcher(recorded, sdk.WithBatchTimeout(time.Hour)))
	mux := resque.NewMux()
	mux.Use(otel.New(otel.Config{TracerProvider: provider}).Perform)
	var path string
	mux.Handle(forked.Handler(func(_ context.Context, p string) error {
		path = p
		return nil
	}))
	if err := errors.Join(worker.ServeChild(ctx, mux), provider.ForceFlush(ctx)); err != nil || path == "" {
		return err
	}
	var parents []string
	for _, span := range recorded.GetSpans() {
		parents = append(parents, span.Name, span.Parent.SpanID().String())
	}
	text, err := json.Marshal(parents)
	if err == nil {
		err = os.WriteFile(path+".part", text, 0o600)
	}
	return errors.Join(err, os.Rename(path+".part", path))
}

// docs/metrics.md tells users to flush the provider after ServeChild.
func TestChildsSpansAreExportedIfFlushed(t *testing.T) {
	t.Parallel()
	b := newBench(t, otel.Config{Carry: true})
	b.mux.Handle(forked.Handler(func(context.Context, string) error { return errors.New("not here") }))
	path := filepath.Join(t.TempDir(), "spans")
	b.enqueue(forked.Job(path))
	b.work(t.Context(), worker.Config{ForkPerJob: true})
	var text []byte
	require.Eventually(t, func() bool {
		var err error
		text, err = os.ReadFile(path)
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	var got []string
	require.NoError(t, json.Unmarshal(text, &got))
	producer := b.only("enqueue exports")
	assert.Equal(t, []string{"perform exports", producer.SpanContext.SpanID().String()}, got)
	assert.Empty(t, b.named("perform exports"), "only the child has this span")
}
