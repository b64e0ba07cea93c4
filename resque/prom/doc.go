// Package prom has two Prometheus collectors. [Redis] reads queues, workers and
// counters from Redis when it is scraped. [Jobs] counts the jobs that this program
// enqueues and performs. The package is a separate module, so that programs that do
// not use it do not depend on Prometheus.
//
//	jobs := prom.NewJobs(prom.JobsConfig{})
//	client, err := resque.New(rdb, resque.Config{EnqueueHooks: []resque.EnqueueMiddleware{jobs.Enqueue}})
//	mux.Use(jobs.Perform)
//	registry.MustRegister(jobs, prom.NewRedis(client, prom.RedisConfig{}))
//
// docs/metrics.md lists the metrics and has examples of alerts. Metrics that the
// dashboard's /metrics also has are named as there.
package prom
