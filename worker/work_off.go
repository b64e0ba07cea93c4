package worker

import (
	"context"
	"errors"
	"sync"
)

// WorkOff performs the jobs that wait, one after the other, and those that they
// enqueue, until none is left or ctx ends, in the caller's goroutine: for tests,
// whose handlers may then call FailNow, and for tasks that end. It is Run with
// UntilEmpty and one slot otherwise, but heeds no Quit, Pause and the like, and
// refuses ForkPerJob. A queue that a job makes takes its place at once. A handler
// that ends its goroutine ends the caller's; its job is recorded as a failure
// before.
//
// Ruby: Resque::Worker#work with an interval of 0 and FORK_PER_JOB=false.
func (w *Worker) WorkOff(ctx context.Context) (err error) {
	switch {
	case IsChild():
		return errors.New("worker: this process is a worker's child: it must call ServeChild and not WorkOff (see IsChild)")
	case w.cfg.ForkPerJob:
		return errors.New("worker: WorkOff performs jobs in the caller's goroutine and not in children: leave ForkPerJob out")
	case !w.running.TryLock():
		return errors.New("worker: this worker is running already")
	}
	defer w.running.Unlock()
	defer call(w.cfg.Logger, "WorkerExit", w.cfg.Hooks.WorkerExit)
	alone := &Worker{handler: w.handler, backend: w.backend, cfg: w.cfg}
	alone.cfg.UntilEmpty, alone.cfg.Concurrency = true, 1
	taking, noMore := context.WithCancel(ctx)
	defer noMore()
	s := newShift(alone, noMore)
	s.exchange.queues.every = 0 // patterns are matched anew at each look: the order is to be the same each time
	if _, err := s.start(taking); err != nil {
		return s.notStarted(taking, err)
	}
	w.set(s.reg.ids)
	defer w.set(nil)
	defer func() {
		unsettled, lost := s.exchange.lost()
		err = errors.Join(lost, s.reg.leave(taking, unsettled...))
	}()
	s.workHere(taking)
	return nil
}

// workHere is work for one slot, in this goroutine. What it does besides is done
// also when the goroutine ends in a handler.
func (s *shift) workHere(taking context.Context) {
	var others sync.WaitGroup
	defer others.Wait()
	alive, die := context.WithCancel(context.WithoutCancel(taking))
	defer die()
	others.Go(func() { s.reg.beat(alive, s.exchange.redis) })
	others.Go(func() { s.exchange.poll(alive) })
	defer func() {
		if taking.Err() == nil {
			s.tellEmpty()
		}
	}()
	slot := s.staff(nil)[0]
	slot.goOn = func(last func(context.Context) *ending) { // runtime.Goexit: hand in the end of the job, and no more
		s.noMore()
		s.exchange.turn(taking, slot.id, last(context.WithoutCancel(taking)))
	}
	var slots sync.WaitGroup
	slots.Add(1)
	slot.live(taking, &slots, nil)
}
