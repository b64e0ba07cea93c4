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
	"github.com/goresque/goresque/resque/scheduler"
)

// RedisConfig configures a [Redis]. The zero value works.
type RedisConfig struct {
	// Timeout is how long a scrape waits for Redis. It should be less than
	// Prometheus' scrape_timeout.
	//
	// Defaults to 2 seconds.
	Timeout time.Duration

	// StaleAfter is the age of a worker's heartbeat after which the worker counts
	// as stale.
	//
	// Defaults to 5 minutes, as in Resque.
	StaleAfter time.Duration
}

// Redis is a collector of the state of Resque in Redis. All programs on the same
// Redis report the same, so one of them is enough. A scrape takes three round trips,
// for any number of queues and workers. If Redis does not answer, resque_up is 0
// and the other metrics are missing.
type Redis struct {
	client *resque.Client
	cfg    RedisConfig

	up, size, oldest, workers, failures, delayed, late, processed, failed, fired *prometheus.Desc
}

var _ prometheus.Collector = (*Redis)(nil)

// NewRedis returns a collector for the Redis of client. The caller must register it
// with a prometheus.Registerer.
func NewRedis(client *resque.Client, cfg RedisConfig) *Redis {
	cfg.Timeout = cmp.Or(cfg.Timeout, 2*time.Second)
	cfg.StaleAfter = cmp.Or(cfg.StaleAfter, 5*time.Minute)
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &Redis{
		client: client, cfg: cfg,
		up:        desc("resque_up", "Whether Redis answers."),
		size:      desc("resque_queue_size", "Jobs waiting in a queue.", "queue"),
		oldest:    desc("resque_queue_oldest_seconds", "How long the next job has been waiting, if its payload has the time.", "queue"),
		workers:   desc("resque_workers", "Workers by state.", "state"),
		failures:  desc("resque_failures", "Failures in a list.", "list"),
		delayed:   desc("resque_delayed_times", "Number of different seconds that have delayed jobs."),
		late:      desc("resque_delayed_late_seconds", "How long the first due job has been waiting for a scheduler."),
		processed: desc("resque_processed_total", "Jobs that ended."),
		failed:    desc("resque_failed_total", "Jobs that failed."),
		fired:     desc("resque_schedule_last_fired_seconds", "When a recurring job was last enqueued, in Unix seconds.", "name"),
	}
}

// Describe implements prometheus.Collector.
func (r *Redis) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{r.up, r.size, r.oldest, r.workers, r.failures, r.delayed, r.late, r.processed, r.failed, r.fired} {
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
	out <- gauge(r.delayed, float64(snap.Delayed))
	out <- gauge(r.late, snap.Late().Seconds())
	out <- counter(r.processed, snap.Processed)
	out <- counter(r.failed, snap.Failed)
	r.queues(out, snap)
	for state, n := range r.states(snap.Workers) {
		out <- gauge(r.workers, float64(n), state)
	}
	for _, f := range snap.Failures {
		out <- gauge(r.failures, float64(f.Size), label(f.List))
	}
	fired, _ := scheduler.LastFired(ctx, r.client) // without them if they cannot be read
	for name, at := range fired {
		out <- gauge(r.fired, float64(at.Unix()), label(name))
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

// states counts workers by state, as the dashboard does. It returns all states,
// also those without workers, so that alerts can compare them.
func (r *Redis) states(workers []resque.RegisteredWorker) map[string]int {
	states := map[string]int{"working": 0, "idle": 0, "stale": 0, "silent": 0}
	for _, w := range workers {
		switch {
		case w.Silence > r.cfg.StaleAfter:
			states["stale"]++
		case w.Working:
			states["working"]++
		case w.Heartbeat.IsZero():
			states["silent"]++ // no heartbeat yet, or an implementation without heartbeats
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

// label returns a name from Redis as a label value, which must be UTF-8. Names that
// are not UTF-8 are quoted. Names that begin with a quote are also quoted, so that
// two names never have the same label value.
func label(name string) string {
	if utf8.ValidString(name) && !strings.HasPrefix(name, `"`) {
		return name
	}
	return strconv.Quote(name)
}
