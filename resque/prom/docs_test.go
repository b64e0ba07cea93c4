package prom_test

import (
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/prom"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/worker"
)

func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// every returns all metrics of both collectors.
func every(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	s := redistest.StartEmbedded(t)
	fill(t, s)
	jobs := prom.NewJobs(prom.JobsConfig{})
	client, mux := counted(t, s, jobs)
	r := registry(t, jobs, prom.NewRedis(client, prom.RedisConfig{}))
	var families map[string]*dto.MetricFamily
	mux.Handle(exporter.Handler(func(context.Context, int64) error {
		_, families = scraped(t, r)
		return nil
	}))
	mux.HandleFunc("Once", func(context.Context, *resque.Payload) error { return errors.New("again") }, retry.Policy{OnRetry: jobs.Retried})
	_, err := client.Enqueue(t.Context(), resque.Job{Queue: "exports", Class: "Once"})
	require.NoError(t, err)
	_, err = client.EnqueueFront(t.Context(), exporter.Job(1))
	require.NoError(t, err)
	work(t.Context(), t, client, mux, worker.Config{})
	_, after := scraped(t, r)
	for name, family := range after {
		families[name] = family
	}
	return families
}

// The alerts must use existing metrics and states.
func TestDocumentedMetricsAreComplete(t *testing.T) {
	t.Parallel()
	families := every(t)
	before, after, ok := strings.Cut(page(t, "../../docs/metrics.md"), "\n### Only from the dashboard\n")
	require.True(t, ok) // another test checks that part
	_, after, _ = strings.Cut(after, "\n### ")
	text := before + after
	described := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(resque_[a-z_]+)` \\| (\\w+) \\|([^|]*)\\|").FindAllStringSubmatch(text, -1) {
		name, kind, labels := row[1], row[2], regexp.MustCompile(`\w+`).FindAllString(row[3], -1)
		described[name] = true
		family, ok := families[name]
		if !assert.True(t, ok, "docs/metrics.md has the metric %s, which does not exist", name) {
			continue
		}
		assert.Equal(t, strings.ToUpper(kind), family.GetType().String(), name)
		var want []string
		for _, l := range family.GetMetric()[0].GetLabel() {
			want = append(want, l.GetName())
		}
		slices.Sort(labels)
		assert.Equal(t, want, labels, name)
	}
	for name := range families {
		assert.True(t, described[name], "%s is not in the table of docs/metrics.md", name)
	}
	for _, name := range regexp.MustCompile(`\bresque_[a-z_]+`).FindAllString(text, -1) {
		assert.Contains(t, families, name)
	}
	for _, state := range regexp.MustCompile(`state!?="(\w+)"`).FindAllStringSubmatch(text, -1) {
		assert.Contains(t, values(families["resque_workers"]), "state="+state[1])
	}
}

func TestLibraryDoesNotRequirePrometheus(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"../../go.mod", "../../go.sum"} {
		assert.NotContains(t, page(t, file), "prometheus", file)
	}
}
