package worker

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// stops ends the contexts of running jobs that were canceled or killed. It learns of them
// by key tracking or, if the server does not support that, looks every second. It uses
// Redis only since a job has run for a second, or one that can be killed has begun, so that
// a worker with short jobs holds no connections for it.
type stops struct {
	*run
	control *control      // nil without RemoteControl
	began   chan struct{} // capacity 1; receives when a job that can be killed has begun
	refused atomic.Bool   // Redis could not read all that is to be stopped at the last look
}

// stopPoll is how often stops looks if it is not told of changes.
const stopPoll = time.Second

// noteBegun notes that a job has begun.
func (s *stops) noteBegun(in *runningJob) {
	if in.killID == "" {
		return
	}
	select {
	case s.began <- struct{}{}:
	default:
	}
}

// watchOver watches until ctx ends.
func (s *stops) watchOver(ctx context.Context) {
	defer s.control.leave(ctx)
	if s.control == nil && !s.awaitJob(ctx) {
		return
	}
	var wait backoff.Backoff
	for ctx.Err() == nil && s.cfg.MaxWaiting >= 2 {
		w, err := s.backend.NewWatch(ctx)
		if store.Unsupported(err) {
			break
		}
		if err == nil {
			wait.Reset()
			s.track(ctx, w)
		}
		wait.Sleep(ctx)
	}
	for ctx.Err() == nil {
		s.look(ctx)
		s.control.look(ctx)
		backoff.Sleep(ctx, stopPoll)
	}
}

// awaitJob waits until a job runs that may have to be stopped.
func (s *stops) awaitJob(ctx context.Context) bool {
	ticker := time.NewTicker(stopPoll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-s.began:
			return true
		case now := <-ticker.C:
			for _, slot := range s.allSlots() {
				if in := slot.job(); in != nil && now.Sub(in.started) > stopPoll {
					return true
				}
			}
		}
	}
}

// track looks after each change, until ctx ends or a connection breaks. It arms the watch
// before each look, so that it misses no change.
func (s *stops) track(ctx context.Context, w *store.Watch) {
	ctx, cancel := context.WithCancel(ctx)
	var later sync.WaitGroup
	later.Go(func() {
		defer cancel()
		for backoff.Sleep(ctx, store.PingInterval) {
			if w.Ping() != nil {
				return
			}
			s.control.lookAgain(ctx)
		}
	})
	defer w.Close()
	defer later.Wait()
	defer cancel()
	for {
		if w.ArmStops(true) != nil || s.control.arm(w) != nil || !s.look(ctx) || !s.control.look(ctx) {
			return
		}
		if _, err := w.Wait(ctx); err != nil {
			return
		}
		later.Go(func() { // it may be about a job that has not begun
			if backoff.Sleep(ctx, stopPoll) {
				s.look(ctx)
			}
		})
	}
}

// look ends the contexts of the running jobs that have to stop. It returns false if Redis
// does not answer.
func (s *stops) look(ctx context.Context) bool {
	var slots []*slot
	var running []*runningJob
	var jobs []store.Stoppable
	for _, slot := range s.allSlots() {
		if in := slot.stoppable(); in != nil {
			slots, running = append(slots, slot), append(running, in)
			jobs = append(jobs, store.Stoppable{Worker: in.reserved.Worker, Guard: in.reserved.Guard, UUID: in.killID})
		}
	}
	if len(jobs) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, clockTimeout)
	defer cancel()
	found, err := s.backend.Stops(ctx, jobs)
	if err != nil && !store.Refused(err) {
		return false
	}
	if refused := err != nil; s.refused.Swap(refused) != refused && refused {
		s.cfg.Logger.Error("not all jobs to cancel or to kill can be read", "err", err)
	}
	for i, stop := range found {
		in := running[i]
		attrs := []any{"class", in.class, "queue", in.reserved.Queue, "worker", in.reserved.Worker}
		switch {
		case stop == store.Canceled && slots[i].stop(in, resque.ErrCanceled):
			s.cfg.Logger.Warn("job canceled, it is told to end", attrs...)
		case stop == store.Killed && slots[i].stop(in, resque.ErrKilled):
			s.cfg.Logger.Warn("job killed, it is told to end", attrs...)
		}
	}
	return true
}

// stoppable returns the running job, or the one that waits for its admission, or nil.
func (s *slot) stoppable() *runningJob {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.running, s.waiting)
}

// stop ends the context of a running job. It returns false if that was done before, or the
// job has ended.
func (s *slot) stop(in *runningJob, cause error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != in && s.waiting != in || in.stopped != nil {
		return false
	}
	in.stopped = cause
	if s.running != in { // begin ends its context
		return true
	}
	in.context.end(cause)
	if in.alarm == nil && in.kill == nil {
		in.alarm = s.timeouts.alarm(in.job, 0)
	}
	return true
}
