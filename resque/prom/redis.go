package prom

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goresque/goresque/resque"
)

// RedisConfig is how Redis is read. The zero value works.
type RedisConfig struct {
	// Timeout is how long a scrape waits for Redis. It should be less than
	// Prometheus' own scrape_timeout.
	//
	// Defaults to 5 seconds.
	Timeout time.Duration

	// StaleAfter is how long a worker may be silent before it counts as stale.
	//
	// Defaults to 5 minutes, as in Resque.
	StaleAfter time.Duration
}

// Redis is a collector of what is in Redis: the same for every program that shares
// it, so that one of them is enough. It reads when it is scraped, in two round
// trips however many queues and workers there are. Where Redis does not answer,
// resque_up is 0 and the other metrics are missing.
type Redis struct {
	client *resque.Client
	cfg    RedisConfig

	up, size, oldest, workers, failures, processed, failed *prometheus.Desc
}

var _ prometheus.Collector = (*Redis)(nil)

// NewRedis returns a collector of what is in client's Redis. It is to be
// registered.
func NewRedis(client *resque.Client, cfg RedisConfig) *Redis {
	cfg.Timeout = cmp.Or(cfg.Timeout, 5*time.Second)
	cfg.StaleAfter = cmp.Or(cfg.StaleAfter, 5*time.Minute)
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &Redis{
		client: client, cfg: cfg,
		up:        desc("resque_up", "Whether Redis answers."),
		size:      desc("resque_queue_size", "Jobs waiting in a queue.", "queue"),
		oldest:    desc("resque_queue_oldest_seconds", "How long the next job has been waiting, where its payload says since when.", "queue"),
		workers:   desc("resque_workers", "Workers by state.", "state"),
		failures:  desc("resque_failures", "Failures in a list.", "list"),
		processed: desc("resque_processed_total", "Jobs that ended."),
		failed:    desc("resque_failed_total", "Jobs that failed."),
	}
}

// Describe implements prometheus.Collector.
func (r *Redis) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{r.up, r.size, r.oldest, r.workers, r.failures, r.processed, r.failed} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (r *Redis) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), r.cfg.Timeout)
	defer cancel()
	snap, err := r.client.Snapshot(ctx)
	if err != nil {
		out <- gauge(r.up, 0)
		return
	}
	out <- gauge(r.up, 1)
	out <- counter(r.processed, snap.Processed)
	out <- counter(r.failed, snap.Failed)
	r.queues(out, snap)
	for state, n := range r.states(snap.Workers) {
		out <- gauge(r.workers, float64(n), state)
	}
	for _, f := range snap.Failures {
		out <- gauge(r.failures, float64(f.Size), label(f.List))
	}
}

func (r *Redis) queues(out chan<- prometheus.Metric, snap resque.Snapshot) {
	for _, q := range snap.Queues {
		name := label(q.Queue)
		out <- gauge(r.size, float64(q.Size), name)
		if q.Next == nil {
			continue
		}
		if since, ok := q.Next.WaitingSince(); ok {
			out <- gauge(r.oldest, max(snap.Now.Sub(since), 0).Seconds(), name)
		}
	}
}

// states counts workers as the dashboard does. Each state is there, at 0 too, so
// that an alert has something to compare with.
func (r *Redis) states(workers []resque.RegisteredWorker) map[string]int {
	states := map[string]int{"working": 0, "idle": 0, "stale": 0, "silent": 0}
	for _, w := range workers {
		switch {
		case w.Silence > r.cfg.StaleAfter:
			states["stale"]++
		case w.Working:
			states["working"]++
		case w.Heartbeat.IsZero():
			states["silent"]++ // it is of a kind that never has one, or its heart has not beaten yet
		default:
			states["idle"]++
		}
	}
	return states
}

func gauge(d *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func counter(d *prometheus.Desc, value int64) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value))
}

// label is a name from Redis as a label, which must be UTF-8. What is not is
// quoted, and so is what looks like it: two names never share a label.
func label(name string) string {
	if utf8.ValidString(name) && !strings.HasPrefix(name, `"`) {
		return name
	}
	return strconv.Quote(name)
}
