package main

import (
	"fmt"
	"slices"
	"time"
)

// planned returns the rows of the table that the options select.
func planned(o options) []*row {
	all := append(drains(), producers()...)
	all = append(append(append(all, waits()...), scales()...), processes()...)
	all = append(all, policies()...)
	var chosen []*row
	for _, r := range all {
		if !o.only.MatchString(r.name) {
			continue
		}
		if o.quick {
			r.shorten()
		}
		chosen = append(chosen, r)
	}
	return chosen
}

// forks reports whether the options select a row with child processes.
func (o options) forks() bool {
	return slices.ContainsFunc(planned(o), func(r *row) bool { return r.task.Kind == forks })
}

// shorten reduces a row's work to a fraction of a second.
func (r *row) shorten() {
	few := 2000
	if r.task.Kind == bulk {
		few = 20_000
	}
	if r.task.Kind == pickup {
		few = 2
	}
	if r.task.Queues > 100 || r.task.Kind == forks {
		few = 5
	}
	r.task.Jobs = min(r.task.Jobs, few)
	for name, n := range r.jobs {
		r.jobs[name] = min(n, few)
	}
	r.waiting = min(r.waiting, 50_000)
	r.seconds = min(r.seconds, 50*time.Millisecond)
}

// drainJobs returns how many jobs the systems perform in about a second.
func drainJobs(slots int) map[string]int {
	n := map[string]int{"gocraft/work": 60_000, "asynq": 15_000, "goworker": 15_000, "Ruby Resque": 3000, "Sidekiq": 20_000, "node-resque": 10_000}
	if slots == 1 {
		n["gocraft/work"], n["asynq"] = 10_000, 10_000
	}
	return n
}

func drains() []*row {
	var rows []*row
	for _, d := range []struct {
		name        string
		slots, jobs int
		cpus        string
	}{
		{"drain, 1 slot", 1, 30_000, ""},
		{"drain, 1 slot, on Redis's processor", 1, 30_000, "0"},
		{"drain, 1 slot, on another processor", 1, 20_000, "1"},
		{"drain, 25 slots", 25, 250_000, ""},
		{"drain, 100 slots", 100, 400_000, ""},
	} {
		r := newRow(d.name, "jobs/s", task{Kind: drain, Slots: d.slots, Jobs: d.jobs, Queues: 1})
		r.jobs, r.cpus = drainJobs(d.slots), d.cpus
		rows = append(rows, r)
	}
	allocs := newRow("allocations, drain at 25 slots", "per job", task{Kind: drain, Slots: 25, Jobs: 100_000, Queues: 1})
	allocs.value = func(f figures) []float64 { return []float64{f.Allocs} }
	allocs.only, allocs.lower, allocs.rounds = []string{"goresque", "gocraft/work", "asynq"}, true, 1
	allocs.jobs = drainJobs(25)
	rows = append(rows, allocs)
	for _, slots := range []int{1, 25, 100} {
		cpu := newRow(fmt.Sprintf("processor time, drain, slots=%d", slots), "µs a job (worker, server)", task{Kind: drain, Slots: slots, Jobs: 100_000, Queues: 1})
		cpu.value = func(f figures) []float64 { return []float64{f.CPU, f.Server} }
		cpu.only, cpu.lower, cpu.rounds = []string{"goresque", "gocraft/work", "asynq", "limit"}, true, 3
		cpu.jobs = drainJobs(slots)
		if slots == 1 {
			cpu.task.Jobs = 20_000
		}
		rows = append(rows, cpu)
	}
	return rows
}

func producers() []*row {
	one := newRow("enqueue, 1 goroutine", "jobs/s", task{Kind: enqueue, Slots: 1, Jobs: 30_000})
	many := newRow("enqueue, 16 goroutines", "jobs/s", task{Kind: enqueue, Slots: 16, Jobs: 200_000})
	allocs := newRow("allocations, enqueue", "per job", task{Kind: enqueue, Slots: 1, Jobs: 20_000})
	allocs.value = func(f figures) []float64 { return []float64{f.Allocs} }
	allocs.only, allocs.lower, allocs.rounds = []string{"goresque", "gocraft/work", "asynq"}, true, 1
	bulks := newRow("enqueue, 10,000 a call", "jobs/s", task{Kind: bulk, Slots: 1, Jobs: 1_000_000})
	few := map[string]int{"Ruby Resque": 5000, "Sidekiq": 5000, "node-resque": 5000}
	one.jobs, many.jobs = few, few
	return []*row{one, many, bulks, allocs}
}

func waits() []*row {
	latency := newRow("pickup, plain RPUSH to an idle worker", "ms (p50, p99)", task{Kind: pickup, Slots: 25, Jobs: 300, Queues: 1})
	latency.value = func(f figures) []float64 { return []float64{f.P50, f.P99} }
	latency.only, latency.lower, latency.seconds = []string{"goresque", "limit"}, true, 20*time.Millisecond
	peers := newRow("pickup, enqueued by each system's own client", "ms (p50, p99)", task{Kind: pickup, Slots: 25, Jobs: 15, Queues: 1})
	peers.value = latency.value
	peers.only, peers.lower, peers.seconds, peers.rounds = []string{"goresque", "gocraft/work", "asynq"}, true, time.Second, 2
	rows := []*row{latency, peers}
	for _, i := range []struct {
		name          string
		slots, queues int
	}{
		{"idle, 1 slot, 1 queue", 1, 1},
		{"idle, 25 slots, 16 queues", 25, 16},
		{"idle, 100 slots, 16 queues", 100, 16},
	} {
		r := newRow(i.name, "commands/s", task{Kind: idle, Slots: i.slots, Queues: i.queues})
		r.only, r.lower, r.seconds, r.rounds = []string{"goresque", "gocraft/work", "asynq"}, true, 40*time.Second, 1 // long enough for what systems do every 5 or 8 s
		rows = append(rows, r)
	}
	return rows
}

func scales() []*row {
	queues := newRow("1,000 queues, jobs in the last, 25 slots", "jobs/s", task{Kind: drain, Slots: 25, Jobs: 100_000, Queues: 1000})
	queues.only = []string{"goresque", "gocraft/work", "asynq"}
	queues.jobs = map[string]int{"gocraft/work": 1000, "asynq": 100}
	shallow := newRow("1,000 waiting, 25 slots", "jobs/s", task{Kind: refill, Slots: 25, Jobs: 200_000, Queues: 1})
	deep := newRow("1,000,000 waiting, 25 slots", "jobs/s", task{Kind: some, Slots: 25, Jobs: 200_000, Queues: 1})
	shallow.only, deep.only, deep.waiting = []string{"goresque"}, []string{"goresque"}, 1_000_000
	memory := newRow("peak memory, draining 1,000,000 at 25 slots", "MB", task{Kind: drain, Slots: 25, Jobs: 1_000_000, Queues: 1})
	memory.value = func(f figures) []float64 { return []float64{f.RSS} }
	memory.only, memory.lower, memory.rounds = []string{"goresque", "gocraft/work", "asynq"}, true, 2
	memory.jobs = map[string]int{"gocraft/work": 100_000, "asynq": 50_000}
	return []*row{queues, shallow, deep, memory}
}

// processes returns the rows with a process per job or per hundred jobs. Ruby always
// forks for each job.
func processes() []*row {
	var rows []*row
	for _, p := range []struct {
		name              string
		workers, jobs     int
		perChild, forRuby int
	}{
		{"a process per job, 1 worker", 1, 400, 1, 400},
		{"a process per job, 10 workers", 10, 800, 1, 800},
		{"a process per 100 jobs, 1 worker", 1, 10_000, 100, 400},
		{"a process per 100 jobs, 10 workers", 10, 20_000, 100, 800},
	} {
		r := newRow(p.name, "jobs/s", task{Kind: forks, Slots: p.workers, Jobs: p.jobs, Queues: 1, PerChild: p.perChild})
		r.jobs = map[string]int{"Ruby Resque": p.forRuby}
		rows = append(rows, r)
	}
	return rows
}

// policies returns the rows with policies of a class. Other systems have no counterparts
// that do the same.
func policies() []*row {
	var rows []*row
	for _, p := range []struct {
		name, policy, kind string
		slots, jobs        int
	}{
		{"drain, 25 slots, a class with retries", policyRetry, drain, 25, 100_000},
		{"drain, 25 slots, each job fails once and is retried", policyRetried, drain, 25, 20_000},
		{"drain, 25 slots, unique jobs", policyUnique, drain, 25, 50_000},
		{"drain, 25 slots, at most 1,000 of the class at once", policyLimit, drain, 25, 50_000},
		{"enqueue, 16 goroutines, unique jobs", policyUnique, enqueue, 16, 50_000},
		{"enqueue, 16 goroutines, delayed jobs", policyDelayed, enqueue, 16, 50_000},
	} {
		r := newRow(p.name, "jobs/s", task{Kind: p.kind, Slots: p.slots, Jobs: p.jobs, Queues: 1, Policy: p.policy})
		r.only = []string{ours}
		rows = append(rows, r)
	}
	return rows
}
