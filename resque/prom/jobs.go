package prom

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
)

// Other is the class label of jobs beyond the first JobsConfig.MaxClasses classes.
const Other = "(other)"

// JobsConfig configures a [Jobs]. The zero value works.
type JobsConfig struct {
	// Buckets are the bounds of resque_perform_duration_seconds, in seconds.
	//
	// Default to 15 bounds from 5 ms to an hour.
	Buckets []float64

	// MaxClasses limits the number of class labels. Classes after the first
	// MaxClasses are counted together, as "(other)". It protects programs that
	// enqueue classes named by their input.
	//
	// Defaults to 200.
	MaxClasses int
}

// Jobs is middleware that counts the jobs that this program enqueues and performs,
// and a collector of these counts. A Rails job is counted under its own class, not
// its wrapper's. It is safe for concurrent use.
type Jobs struct {
	duration          *prometheus.HistogramVec
	performs, placing *prometheus.CounterVec
	retries           *prometheus.CounterVec
	inFlight          *prometheus.GaugeVec

	maxClasses int
	mu         sync.RWMutex
	classes    map[string]struct{}
}

var _ prometheus.Collector = (*Jobs)(nil)

// NewJobs returns a Jobs. The caller must register it with a prometheus.Registerer.
func NewJobs(cfg JobsConfig) *Jobs {
	if len(cfg.Buckets) == 0 {
		cfg.Buckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300, 900, 3600}
	}
	return &Jobs{
		maxClasses: cmp.Or(cfg.MaxClasses, 200),
		classes:    map[string]struct{}{},
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "resque_perform_duration_seconds", Help: "Time to perform a job, with any outcome.",
			Buckets: slices.Clone(cfg.Buckets),
		}, []string{"class", "queue"}),
		performs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "resque_performs_total", Help: "Jobs that this program performed, by outcome.",
		}, []string{"class", "queue", "outcome"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "resque_performs_in_flight", Help: "Jobs that this program is performing.",
		}, []string{"class", "queue"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "resque_retries_total", Help: "Failed attempts after which the job is performed again.",
		}, []string{"class", "queue"}),
		placing: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "resque_enqueues_total", Help: "Jobs that this program tried to enqueue, by outcome.",
		}, []string{"class", "queue", "outcome"}),
	}
}

func (j *Jobs) collectors() []prometheus.Collector {
	return []prometheus.Collector{j.duration, j.performs, j.retries, j.inFlight, j.placing}
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

// Perform is middleware for Mux.Use or Route.Use.
func (j *Jobs) Perform(next resque.Handler) resque.Handler {
	next = resque.TimePerform(j.performed)(next)
	return resque.HandlerFunc(func(ctx context.Context, job *resque.Payload) error {
		inFlight := j.inFlight.WithLabelValues(j.class(job.Class), label(job.Queue))
		inFlight.Inc()
		defer inFlight.Dec()
		return next.Perform(ctx, job)
	})
}

func (j *Jobs) performed(ctx context.Context, job *resque.Payload, took time.Duration, err error) {
	class, queue := j.class(job.Class), label(job.Queue)
	outcome, _ := resque.ResultOf(ctx, err)
	j.duration.WithLabelValues(class, queue).Observe(took.Seconds())
	j.performs.WithLabelValues(class, queue, string(outcome)).Inc()
}

// Retried counts a failed attempt after which the job is performed again. Use it as the
// OnRetry of a retry.Policy or an activejob.Retry.
func (j *Jobs) Retried(_ context.Context, job *resque.Payload, _ retry.State) {
	j.retries.WithLabelValues(j.class(job.Class), label(job.Queue)).Inc()
}

// Enqueue is middleware for the EnqueueHooks of resque.Config, or a setting of a definition
// (resque.EnqueueMiddleware(j.Enqueue)).
func (j *Jobs) Enqueue(next resque.EnqueueFunc) resque.EnqueueFunc {
	return func(ctx context.Context, job resque.Job) (resque.Receipt, error) {
		receipt, err := next(ctx, job)
		j.placing.WithLabelValues(j.class(job.InnerClass()), label(job.Queue), placed(receipt, err)).Inc()
		return receipt, err
	}
}

// placed returns the outcome of enqueueing a job. A queued job counts as queued
// even if a hook has returned an error after that.
func placed(receipt resque.Receipt, err error) string {
	switch {
	case receipt.Enqueued():
		return "queued"
	case err != nil:
		return "failed"
	default:
		return "vetoed"
	}
}

// class returns the label of a class: its name, or Other.
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
