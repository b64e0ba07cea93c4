package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/fork"
)

// shift is one Run of a worker: it runs the slots, beside them what keeps them
// alive, wakes them and buries the dead, and follows orders.
type shift struct {
	*Worker
	dead     *sweeper
	reg      *registry
	exchange *exchange
	pulse    pulse              // the exchange's
	noMore   context.CancelFunc // take no more jobs
	drained  chan chan struct{} // no jobs are left; closing what is sent says that the hook has heard

	mu    sync.Mutex
	slots []*slot // set once they are registered

	// Of the goroutine that obeys.
	stage stage
	timer *time.Timer
}

func newShift(w *Worker, noMore context.CancelFunc) *shift {
	s := &shift{Worker: w, noMore: noMore, drained: make(chan chan struct{}), timer: time.NewTimer(time.Hour)}
	s.timer.Stop()
	s.dead = &sweeper{backend: w.backend, handler: w.handler, cfg: w.cfg}
	s.reg = &registry{backend: w.backend, dead: s.dead, cfg: w.cfg}
	s.exchange = newExchange(w.backend, away(w.cfg.Logger), w.cfg)
	s.pulse = s.exchange.pulse
	return s
}

// run is Run, where the end of taking means that no more jobs are to be taken.
func (s *shift) run(taking context.Context) error {
	children, err := s.start(taking)
	if err != nil {
		return s.notStarted(taking, err)
	}
	defer children.Close()
	s.set(s.reg.ids)
	defer s.set(nil)
	s.cfg.Logger.Info("worker started", "worker", s.reg.ids[0], "slots", len(s.reg.ids), "queues", s.cfg.Queues)
	unsettled, err := s.work(taking, children)
	if leaving := s.reg.leave(taking, unsettled...); leaving != nil {
		err = errors.Join(err, fmt.Errorf("worker: leaving: %w", leaving))
	}
	s.cfg.Logger.Info("worker stopped", "worker", s.reg.ids[0])
	return err
}

// start makes sure that jobs can be performed, and registers.
//
// Ruby: Resque::Worker#startup.
func (s *shift) start(ctx context.Context) (*fork.Pool, error) {
	if hook := s.cfg.Hooks.BeforeFirstFork; hook != nil {
		if err := guard(func() error { return hook(ctx) }); err != nil {
			return nil, fmt.Errorf("before the first fork: %w", err)
		}
	}
	var children *fork.Pool
	if s.cfg.ForkPerJob {
		var err error
		if children, err = fork.Open(ctx, s.cfg.children(s.pulse.beat)); err != nil {
			return nil, err
		}
	}
	if _, err := s.reg.enter(ctx); err != nil {
		children.Close()
		return nil, err
	}
	return children, nil
}

// notStarted takes back what was registered already. To be told to stop while
// starting is no error.
func (s *shift) notStarted(ctx context.Context, err error) error {
	leaving := s.reg.leave(ctx)
	if ctx.Err() != nil {
		err = nil
	}
	if err = errors.Join(err, leaving); err != nil {
		return fmt.Errorf("worker: starting: %w", err)
	}
	return nil
}

// work runs the slots until they have all stopped. unsettled are those whose last
// job's end Redis never got.
func (s *shift) work(taking context.Context, children *fork.Pool) (unsettled []string, err error) {
	x := s.exchange
	alive, die := context.WithCancel(context.WithoutCancel(taking))
	idle, stop := context.WithCancel(taking)
	var slots, others sync.WaitGroup
	others.Go(func() { s.reg.beat(alive, x.redis) })
	others.Go(func() { s.dead.run(idle, s.reg.ids) })
	others.Go(func() { x.poll(idle) })
	others.Go(func() { s.watch(alive) })
	others.Go(func() { waitForJobs(idle, s.backend, x, s.cfg) })
	for _, slot := range s.staff(children) {
		slot.start(taking, &slots)
	}
	slots.Wait()
	stop()
	if s.cfg.UntilEmpty {
		heard := make(chan struct{})
		s.drained <- heard
		<-heard
	}
	die() // the heart beats until the last job has ended
	others.Wait()
	return x.lost()
}

// staff makes the slots.
func (s *shift) staff(children *fork.Pool) []*slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.reg.ids {
		s.slots = append(s.slots, newSlot(id, s.Worker, s.exchange, children))
	}
	return s.slots
}

func (s *shift) staffed() []*slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slots
}

// obey follows orders until the shift is over. The end of Run's context is one.
func (s *shift) obey(ctx context.Context, over <-chan struct{}) {
	ended := ctx.Done()
	for {
		select {
		case <-over:
			s.tellEmpty()
			if ended != nil && ctx.Err() != nil { // it came while a hook was called
				s.finish()
			}
			return
		case heard := <-s.drained:
			s.tellEmpty()
			close(heard)
		case <-ended:
			ended = nil
			s.told(term)
		case o := <-s.orders:
			s.told(o)
		case <-s.timer.C:
			s.advance()
		case <-s.exchange.emptied:
			call(s.cfg.Logger, "QueueEmpty", s.cfg.Hooks.QueueEmpty)
		}
	}
}

// tellEmpty calls at the end what emptied would have had called, but not after an
// order to stop.
//
// Ruby: Resque::Worker#work, which is still registered then.
func (s *shift) tellEmpty() {
	if s.exchange.untold() && s.stage == working {
		call(s.cfg.Logger, "QueueEmpty", s.cfg.Hooks.QueueEmpty)
	}
}
