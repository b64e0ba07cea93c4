package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// serve runs the task of this process and writes its figures.
func serve(ctx context.Context, text string, stdin io.Reader, stdout io.Writer) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return fmt.Errorf("reading the task: %w", err)
	}
	p, err := open(t.System, t.Addr)
	if err != nil {
		return err
	}
	give(p, t.Policy)
	write := func(f figures) error { return json.NewEncoder(stdout).Encode(f) }
	f, err := t.do(ctx, p, stdin, write)
	var unsupported errUnsupported
	if errors.As(err, &unsupported) {
		f, err = figures{Message: unsupported.reason}, nil
	}
	if err != nil {
		return fmt.Errorf("%s, %s: %w", t.System, t.Kind, err)
	}
	f.RSS = peakRSS()
	return write(f)
}

func (t task) do(ctx context.Context, p peer, stdin io.Reader, write func(figures) error) (figures, error) {
	switch t.Kind {
	case drain, some:
		return t.drain(ctx, p)
	case refill:
		return t.refill(ctx, p)
	case enqueue:
		return t.enqueue(ctx, p)
	case bulk:
		return t.bulk(ctx, p)
	case pickup:
		return t.pickup(ctx, p, write)
	case idle:
		if err := p.work(ctx, t.Slots, t.Queues, func(int64) {}); err != nil {
			return figures{}, err
		}
		if err := write(figures{Ready: true}); err != nil {
			return figures{}, err
		}
		_, err := io.Copy(io.Discard, stdin)
		return figures{}, err //nolint:wrapcheck // a pipe from the parent process
	default:
		return figures{}, fmt.Errorf("unknown kind of task %q", t.Kind)
	}
}

// drain performs waiting jobs. It measures the time from the start of the worker
// until the results of all jobs are written. For the kind some, it measures the time
// from the start of the first handler to the start of the last.
func (t task) drain(ctx context.Context, p peer) (figures, error) {
	if l, ok := p.(*limit); ok {
		return l.drain(t)
	}
	before, busy := mallocs(), cpuTime()
	began := time.Now()
	m := newMeter(t.Jobs)
	if err := p.work(ctx, t.Slots, t.Queues, m.handle); err != nil {
		return figures{}, err
	}
	took, err := m.wait(ctx)
	if err != nil || t.Kind == some {
		return figures{Rate: float64(t.Jobs-1) / took.Seconds()}, err
	}
	if err := waitFinished(ctx, p, t.Jobs); err != nil {
		return figures{}, err
	}
	seconds := time.Since(began).Seconds()
	return figures{
		Rate:   float64(t.Jobs) / seconds,
		Allocs: float64(mallocs()-before) / float64(t.Jobs),
		CPU:    (cpuTime() - busy).Seconds() * 1e6 / float64(t.Jobs),
	}, nil
}

// waitFinished waits until the results of n jobs are written.
func waitFinished(ctx context.Context, p peer, n int) error {
	for {
		done, err := p.finished(n)
		if done || err != nil {
			return err
		}
		if err := pause(ctx, 200*time.Microsecond); err != nil {
			return err
		}
	}
}

// refill performs jobs, with at most a thousand in the queue at a time.
func (t task) refill(ctx context.Context, p peer) (figures, error) {
	const depth = 1000
	var m atomic.Pointer[meter]
	if err := p.work(ctx, t.Slots, t.Queues, func(n int64) { m.Load().handle(n) }); err != nil {
		return figures{}, err
	}
	if err := pause(ctx, 300*time.Millisecond); err != nil { // until the worker has started
		return figures{}, err
	}
	var took time.Duration
	rounds := t.Jobs / depth
	for range rounds {
		one := newMeter(depth)
		m.Store(one)
		if err := p.fill(ctx, depth, t.Queues); err != nil {
			return figures{}, err
		}
		d, err := one.wait(ctx)
		if err != nil {
			return figures{}, err
		}
		took += d
	}
	return figures{Rate: float64(rounds*(depth-1)) / took.Seconds()}, nil
}

func (t task) enqueue(ctx context.Context, p peer) (figures, error) {
	if err := p.enqueue(ctx, 0); err != nil { // connects
		return figures{}, err
	}
	before := mallocs()
	began := time.Now()
	var all sync.WaitGroup
	errs := make([]error, t.Slots)
	for g := range t.Slots {
		all.Go(func() {
			for i := g; i < t.Jobs && errs[g] == nil; i += t.Slots {
				errs[g] = p.enqueue(ctx, int64(i))
			}
		})
	}
	all.Wait()
	took := time.Since(began).Seconds()
	return figures{
		Rate:   float64(t.Jobs) / took,
		Allocs: float64(mallocs()-before) / float64(t.Jobs),
	}, errors.Join(errs...)
}

func (t task) bulk(ctx context.Context, p peer) (figures, error) {
	const many = 10_000
	if err := p.enqueueMany(ctx, many); err != nil { // connects
		return figures{}, err
	}
	before := mallocs()
	began := time.Now()
	for done := 0; done < t.Jobs; done += many {
		if err := p.enqueueMany(ctx, many); err != nil {
			return figures{}, err
		}
	}
	return figures{
		Rate:   float64(t.Jobs) / time.Since(began).Seconds(),
		Allocs: float64(mallocs()-before) / float64(t.Jobs),
	}, nil
}

// pickup measures the time from enqueueing a job, which is the job's argument, to the
// start of its handler.
func (t task) pickup(ctx context.Context, p peer, write func(figures) error) (figures, error) {
	waits := make(chan float64, t.Jobs)
	err := p.work(ctx, t.Slots, t.Queues, func(n int64) {
		waits <- time.Since(time.Unix(0, n)).Seconds() * 1000
	})
	if err != nil {
		return figures{}, err
	}
	if err := write(figures{Ready: true}); err != nil {
		return figures{}, err
	}
	var all []float64
	for len(all) < t.Jobs {
		select {
		case <-ctx.Done():
			return figures{}, ctx.Err()
		case w := <-waits:
			all = append(all, w)
		}
	}
	slices.Sort(all)
	return figures{P50: all[len(all)/2], P99: all[len(all)*99/100]}, nil
}

// meter measures the time from the start of the first job to the start of the last.
type meter struct {
	jobs  int64
	count atomic.Int64
	first time.Time
	last  time.Time
	done  chan struct{}
}

func newMeter(jobs int) *meter { return &meter{jobs: int64(jobs), done: make(chan struct{})} }

func (m *meter) handle(int64) {
	switch m.count.Add(1) {
	case 1:
		m.first = time.Now()
	case m.jobs:
		m.last = time.Now()
		close(m.done)
	}
}

func (m *meter) wait(ctx context.Context) (time.Duration, error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-m.done:
		return m.last.Sub(m.first), nil
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// cpuTime returns the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakRSS returns the peak memory of this process in MB, or 0 if the system does not
// report it.
func peakRSS() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.Atoi(kb)
	if err != nil {
		return 0
	}
	return float64(n) / 1024
}
