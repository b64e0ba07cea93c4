package prom

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goresque/goresque/resque"
)

// Other is the class under which jobs count when there are more classes than
// JobsConfig.MaxClasses.
const Other = "(other)"

// JobsConfig is how jobs are counted. The zero value works.
type JobsConfig struct {
	// Buckets are the bounds of resque_perform_duration_seconds.
	//
	// Default to 15 from 5 ms to an hour.
	Buckets []float64

	// MaxClasses is how many classes have metrics of their own, the first that are
	// met; the others count together, as "(other)". It is for programs that
	// enqueue classes that somebody else names.
	//
	// Defaults to 200.
	MaxClasses int
}

// Jobs is middleware for both sides that counts what this program enqueues and
// performs, and the collector of it. It is safe for concurrent use. A job of Rails
// counts under its own class, not under that of its wrapper.
type Jobs struct {
	duration          *prometheus.HistogramVec
	performs, placing *prometheus.CounterVec
	inFlight          *prometheus.GaugeVec

	maxClasses int
	mu         sync.RWMutex
	classes    map[string]struct{}
}

var _ prometheus.Collector = (*Jobs)(nil)

// NewJobs returns the middleware. It is to be registered as well.
func NewJobs(cfg JobsConfig) *Jobs {
	if len(cfg.Buckets) == 0 {
		cfg.Buckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300, 900, 3600}
	}
	return &Jobs{
		maxClasses: cmp.Or(cfg.MaxClasses, 200),
		classes:    map[string]struct{}{},
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "resque_perform_duration_seconds", Help: "How long jobs took to perform, however they ended.",
			Buckets: slices.Clone(cfg.Buckets),
		}, []string{"class", "queue"}),
		performs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "resque_performs_total", Help: "Jobs that this program performed, by how they ended.",
		}, []string{"class", "queue", "outcome"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "resque_performs_in_flight", Help: "Jobs that this program is performing.",
		}, []string{"class", "queue"}),
		placing: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "resque_enqueues_total", Help: "Jobs that this program wanted to enqueue, by what came of it.",
		}, []string{"class", "queue", "outcome"}),
	}
}

func (j *Jobs) collectors() []prometheus.Collector {
	return []prometheus.Collector{j.duration, j.performs, j.inFlight, j.placing}
}

// Describe implements prometheus.Collector.
func (j *Jobs) Describe(out chan<- *prometheus.Desc) {
	for _, c := range j.collectors() {
		c.Describe(out)
	}
}

// Collect implements prometheus.Collector.
func (j *Jobs) Collect(out chan<- prometheus.Metric) {
	for _, c := range j.collectors() {
		c.Collect(out)
	}
}

// Perform is middleware, for Mux.Use or Route.Use.
func (j *Jobs) Perform(next resque.Handler) resque.Handler {
	next = resque.TimePerform(j.performed)(next)
	return resque.HandlerFunc(func(ctx context.Context, job *resque.Reserved) error {
		inFlight := j.inFlight.WithLabelValues(j.class(job.Class), label(job.Queue))
		inFlight.Inc()
		defer inFlight.Dec()
		return next.Perform(ctx, job)
	})
}

func (j *Jobs) performed(ctx context.Context, job *resque.Reserved, took time.Duration, err error) {
	class, queue := j.class(job.Class), label(job.Queue)
	outcome, _ := resque.OutcomeOf(ctx, err)
	j.duration.WithLabelValues(class, queue).Observe(took.Seconds())
	j.performs.WithLabelValues(class, queue, string(outcome)).Inc()
}

// Enqueue is middleware, for resque.Config.EnqueueHooks or a definition's.
func (j *Jobs) Enqueue(next resque.EnqueueFunc) resque.EnqueueFunc {
	return func(ctx context.Context, job resque.Job) (bool, error) {
		queued, err := next(ctx, job)
		j.placing.WithLabelValues(j.class(job.InnerClass()), label(job.Queue), placed(queued, err)).Inc()
		return queued, err
	}
}

// placed is what came of enqueueing a job. One that is queued counts as such
// whatever a hook said afterwards.
func placed(queued bool, err error) string {
	switch {
	case queued:
		return "queued"
	case err != nil:
		return "failed"
	default:
		return "vetoed"
	}
}

// class is the label of a class.
func (j *Jobs) class(class string) string {
	j.mu.RLock()
	_, known := j.classes[class]
	full := len(j.classes) >= j.maxClasses
	j.mu.RUnlock()
	switch {
	case known:
		return label(class)
	case full:
		return Other
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.classes) < j.maxClasses {
		j.classes[class] = struct{}{}
	}
	if _, known := j.classes[class]; !known {
		return Other
	}
	return label(class)
}
