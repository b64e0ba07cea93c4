// Package prom has metrics for Prometheus: of what is in Redis, read when they are
// scraped, and of what this program enqueues and performs. It is a module of its
// own, so that programs without it do not depend on Prometheus.
//
//	jobs := prom.NewJobs(prom.JobsConfig{})
//	client, err := resque.New(rdb, resque.Config{EnqueueHooks: []resque.EnqueueMiddleware{jobs.Enqueue}})
//	mux.Use(jobs.Perform)
//	registry.MustRegister(jobs, prom.NewRedis(client, prom.RedisConfig{}))
//
// docs/metrics.md lists every metric, and alerts made of them. Names are those of
// the dashboard's /metrics where that has them, too.
package prom
