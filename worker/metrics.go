package worker

import (
	"context"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/store"
)

// metrics collects how long jobs take, and adds it to Redis every 10 seconds in one call
// for all slots.
type metrics struct {
	store  adder
	every  time.Duration
	outage exchange.Outage

	mu      sync.Mutex
	classes map[string]*store.ClassMetrics
}

// adder has the method of the store that metrics use.
type adder interface {
	AddMetrics(ctx context.Context, measured map[string]*store.ClassMetrics) error
}

// metricsEvery is the time between two additions: what a killed process can lose.
const metricsEvery = 10 * time.Second

// lastMetrics bounds the last addition of a stopping worker.
const lastMetrics = 2 * time.Second

// newMetrics returns nil if the worker does not measure its jobs.
func newMetrics(backend adder, cfg Config, attrs exchange.Attrs) *metrics {
	if !cfg.Metrics {
		return nil
	}
	return &metrics{
		store: backend, every: metricsEvery, classes: map[string]*store.ClassMetrics{},
		outage: exchange.Outage{Begun: "redis does not take metrics, trying again", Over: "redis takes metrics again", Attrs: attrs, Logger: cfg.Logger},
	}
}

// note adds a job that has ended.
func (m *metrics) note(class string, took time.Duration, failed bool) {
	if m == nil || class == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.classes[class]
	if c == nil {
		c = &store.ClassMetrics{}
		m.classes[class] = c
	}
	c.Add(took, failed)
}

// run adds what was collected to Redis until ctx ends, and then the rest.
func (m *metrics) run(ctx context.Context) {
	if m == nil {
		return
	}
	for backoff.Sleep(ctx, m.every) {
		m.flush(ctx)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastMetrics)
	defer cancel()
	m.flush(last)
}

// flush adds what was collected. If Redis does not answer, it is added with the next
// flush; if the reply was lost, that counts it twice.
func (m *metrics) flush(ctx context.Context) {
	m.mu.Lock()
	collected := m.classes
	m.classes = make(map[string]*store.ClassMetrics, len(collected))
	m.mu.Unlock()
	if len(collected) == 0 {
		return
	}
	err := m.store.AddMetrics(ctx, collected)
	switch {
	case err == nil:
		m.outage.Ended()
		return
	case ctx.Err() == nil:
		m.outage.Began(err)
	}
	if store.Refused(err) {
		return // it would refuse them again
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for class, c := range m.classes {
		if collected[class] == nil {
			collected[class] = c
		} else {
			collected[class].Merge(c)
		}
	}
	m.classes = collected
}
