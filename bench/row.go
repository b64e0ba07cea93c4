package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"
)

// row is a row of the table: a task, and its results for each system that can run
// it.
type row struct {
	name    string
	unit    string
	task    task
	jobs    map[string]int // by system; fewer than task.Jobs, to take about a second
	only    []string       // the systems; nil for all
	cpus    string         // the worker's processors; the server then runs on the first
	value   func(f figures) []float64
	lower   bool          // lower values are better
	seconds time.Duration // between jobs (pickup), or of measuring (idle)
	waiting int           // jobs in the queue, if more than the task performs
	rounds  int           // 0 for all
	runs    map[string][][]float64
	why     map[string]string // by system; why it cannot be measured
}

// measure runs the row's task once for each system.
func (r *row) measure(ctx context.Context, s *server, systems []system, round int, stderr io.Writer) error {
	if r.rounds > 0 && round >= r.rounds {
		return nil
	}
	for i := range systems {
		one := systems[(i+round)%len(systems)] // each round starts with another system
		if !r.wants(one) {
			continue
		}
		f, err := r.once(ctx, s, one)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", r.name, one.Name, err)
		}
		if f.Message != "" {
			r.why[one.Name] = f.Message
			continue
		}
		values := r.value(f)
		r.runs[one.Name] = append(r.runs[one.Name], values)
		fmt.Fprintf(stderr, "  %-44s %-24s %s\n", r.name, one.Name, format(values))
	}
	return nil
}

func (r *row) wants(one system) bool {
	if r.task.Kind == forks {
		return one.forks != nil
	}
	if one.runs != "" && r.task.Policy != "" {
		return false // earlier versions of the bench do not know policies
	}
	return (r.only == nil || slices.Contains(r.only, cmp.Or(one.runs, one.Name))) &&
		(one.kinds == nil || slices.Contains(one.kinds, r.task.Kind)) &&
		(one.most == 0 || r.task.Slots <= one.most)
}

func (r *row) once(ctx context.Context, s *server, one system) (figures, error) {
	t := r.task
	t.System, t.Addr = cmp.Or(one.runs, one.Name), s.addr
	if n, ok := r.jobs[one.Name]; ok {
		t.Jobs = n
	}
	if err := s.clear(); err != nil {
		return figures{}, err
	}
	p, err := open(one.fills, s.addr)
	if err != nil {
		return figures{}, err
	}
	give(p, t.Policy)
	if t.Kind == drain || t.Kind == some || t.Kind == forks {
		if err := p.fill(ctx, max(r.waiting, t.Jobs), t.Queues); err != nil {
			return figures{}, err
		}
	}
	if r.cpus != "" {
		if err := s.pin("0"); err != nil {
			return figures{}, err
		}
		defer func() { _ = s.pin("0-1023") }()
	}
	busy, err := s.cpuTime()
	if err != nil {
		return figures{}, err
	}
	argv := one.argv
	if t.Kind == forks {
		argv = one.forks
	}
	worker, err := begin(ctx, t, argv, r.cpus)
	if err != nil {
		return figures{}, err
	}
	defer worker.end()
	f, err := worker.next()
	switch {
	case err != nil:
		return f, err
	case !f.Ready:
		after, err := s.cpuTime()
		f.Server = (after - busy) / float64(t.Jobs)
		return f, err
	case t.Kind == pickup:
		return r.offer(ctx, p, worker, t.Jobs)
	default:
		return r.countIdle(ctx, s)
	}
}

// offer enqueues n jobs one by one, at random intervals.
func (r *row) offer(ctx context.Context, p peer, w *process, n int) (figures, error) {
	if err := pause(ctx, 500*time.Millisecond); err != nil { // until the worker has looked at the queue and waits
		return figures{}, err
	}
	for range n {
		if err := pause(ctx, r.seconds/2+rand.N(r.seconds)); err != nil { //nolint:gosec // not a secret
			return figures{}, err
		}
		if err := p.enqueue(ctx, time.Now().UnixNano()); err != nil {
			return figures{}, err
		}
	}
	return w.next()
}

// countIdle counts the commands of a worker that has nothing to do.
func (r *row) countIdle(ctx context.Context, s *server) (figures, error) {
	if err := pause(ctx, min(2*time.Second, 2*r.seconds)); err != nil { // until the worker has started
		return figures{}, err
	}
	before, err := s.commands()
	if err != nil {
		return figures{}, err
	}
	if err := pause(ctx, r.seconds); err != nil {
		return figures{}, err
	}
	after, err := s.commands()
	return figures{Rate: float64(after-before) / r.seconds.Seconds()}, err
}

func newRow(name, unit string, t task) *row {
	return &row{
		name: name, unit: unit, task: t, runs: map[string][][]float64{}, why: map[string]string{},
		value: func(f figures) []float64 { return []float64{f.Rate} },
	}
}
