package worker

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
)

// added collects what metrics add. It fails with the errors in fail, one after the other.
type added struct {
	mu    sync.Mutex
	fail  []error
	calls []map[string]*store.ClassMetrics
}

func (a *added) AddMetrics(_ context.Context, measured map[string]*store.ClassMetrics) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.fail) > 0 {
		err := a.fail[0]
		a.fail = a.fail[1:]
		return err
	}
	a.calls = append(a.calls, maps.Clone(measured))
	clear(measured)
	return nil
}

func (a *added) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.calls)
}

func (a *added) jobs(class string) (n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.calls {
		if c[class] != nil {
			n += c[class].Jobs
		}
	}
	return n
}

// Any number of jobs of any number of slots is one call every 10 seconds, and one at the
// end. Without jobs there is no call.
func TestMetricsAreOneCallEvery10Seconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis := &added{}
		m := newMetrics(redis, Config{Metrics: true, Logger: slog.New(slog.DiscardHandler)}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { m.run(ctx) })
		backoff.Sleep(t.Context(), time.Hour) // by the bubble's clock
		synctest.Wait()
		assert.Zero(t, redis.count())
		var slots sync.WaitGroup
		for range 50 {
			slots.Go(func() {
				for range 1000 {
					m.note("Exporter", time.Millisecond, false)
				}
			})
		}
		slots.Wait()
		backoff.Sleep(t.Context(), metricsEvery)
		synctest.Wait()
		assert.Equal(t, 1, redis.count())
		m.note("Exporter", time.Millisecond, false)
		cancel()
		all.Wait()
		assert.Equal(t, 2, redis.count())
		assert.EqualValues(t, 50_001, redis.jobs("Exporter"))
	})
}

func TestMetricsSurviveAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		backend := &added{fail: []error{errors.New("away"), errors.New("away"), redis.Error("NOPERM no")}}
		m := newMetrics(backend, Config{Metrics: true, Logger: slog.New(slog.NewTextHandler(&log, nil))}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { m.run(ctx) })
		m.note("Exporter", time.Second, true)
		backoff.Sleep(t.Context(), metricsEvery+time.Second)
		m.note("Exporter", time.Second, false)
		m.note("Mailer", time.Second, false)
		backoff.Sleep(t.Context(), metricsEvery)
		synctest.Wait()
		m.mu.Lock()
		assert.EqualValues(t, 2, m.classes["Exporter"].Jobs, "kept for the next call")
		m.mu.Unlock()
		backoff.Sleep(t.Context(), metricsEvery)
		synctest.Wait()
		m.mu.Lock()
		assert.Empty(t, m.classes, "refused metrics are not kept")
		m.mu.Unlock()
		m.note("Mailer", time.Second, false)
		cancel()
		all.Wait()
		assert.EqualValues(t, 1, backend.jobs("Mailer"))
		assert.Equal(t, 1, strings.Count(log.String(), "redis does not take metrics"))
		assert.Equal(t, 1, strings.Count(log.String(), "redis takes metrics again"))
	})
}

func TestWithoutMetricsNothingIsMeasured(t *testing.T) {
	t.Parallel()
	m := newMetrics(&added{}, Config{}, nil)
	assert.Nil(t, m)
	m.note("Exporter", time.Second, false)
	m.run(t.Context())
}

func BenchmarkMetrics(b *testing.B) {
	m := newMetrics(&added{}, Config{Metrics: true}, nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.note("Exporter", time.Millisecond, false)
		}
	})
}
