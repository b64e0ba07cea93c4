package worker

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"
)

// nursery starts children and keeps one spare ready, so that a job need not wait
// for the start of a process. Slots that take one at the same time have as many
// started at once.
type nursery struct {
	cfg      Config
	wanted   chan chan *child
	unwanted chan chan *child
	ready    chan *child
	failed   chan error
	lost     chan *child // a spare has ended
	closing  chan struct{}
	closed   chan struct{}

	// Of tend's goroutine.
	spares   []*child
	waiting  []chan *child
	starting int
	failures int // to start the first one
	living   sync.WaitGroup
}

// birthTimeout is how long a child may take to be ready.
const birthTimeout = time.Minute

// triesToStart is how often the first child may be ended, or not be started,
// before Run gives up: TERM to the whole group, which ends the worker, ends a
// child that is not yet ready, too.
const triesToStart = 3

// errNoServeChild is what a program is told whose children do not serve.
var errNoServeChild = errors.New("a child ended before it was ready: " +
	"a program with ForkPerJob must call worker.ServeChild where worker.IsChild() (see there)")

// openNursery returns once a child is ready, or with why there can be none.
func openNursery(ctx context.Context, cfg Config) (*nursery, error) {
	n := &nursery{
		cfg:    cfg,
		wanted: make(chan chan *child), unwanted: make(chan chan *child),
		ready: make(chan *child), failed: make(chan error), lost: make(chan *child),
		closing: make(chan struct{}), closed: make(chan struct{}),
	}
	first := make(chan error, 1)
	go n.tend(context.WithoutCancel(ctx), first)
	select {
	case err := <-first:
		if err != nil {
			n.close()
			return nil, err
		}
		return n, nil
	case <-ctx.Done():
		n.close()
		return nil, context.Cause(ctx)
	}
}

// take returns a child that is ready; ok is false when ctx ends before there is
// one.
func (n *nursery) take(ctx context.Context) (c *child, ok bool) {
	answer := make(chan *child, 1)
	n.wanted <- answer
	select {
	case c = <-answer:
		return c, true
	case <-ctx.Done():
		n.unwanted <- answer
		select {
		case c = <-answer:
			return c, true
		default:
			return nil, false
		}
	}
}

// close lets the spare child go and returns when no child is left. Those that
// slots have must have been let go before.
func (n *nursery) close() {
	if n != nil {
		close(n.closing)
		<-n.closed
	}
}

// tend looks after the children. It keeps its thread: children end with the
// thread that started them.
func (n *nursery) tend(ctx context.Context, first chan<- error) {
	runtime.LockOSThread()
	defer close(n.closed)
	wait := newBackoff()
	var rest <-chan time.Time // none is started until then: the last ones failed
	for {
		for rest == nil && n.starting+len(n.spares) < len(n.waiting)+1 {
			n.starting++
			n.start(ctx)
		}
		for len(n.spares) > 0 && len(n.waiting) > 0 {
			n.spares[0].taken.Store(true)
			n.waiting[0] <- n.spares[0]
			n.spares, n.waiting = n.spares[1:], n.waiting[1:]
			wait = newBackoff()
		}
		select {
		case c := <-n.wanted:
			n.waiting = append(n.waiting, c)
		case c := <-n.unwanted:
			n.waiting = slices.DeleteFunc(n.waiting, func(w chan *child) bool { return w == c })
		case c := <-n.ready:
			n.starting--
			n.spares = append(n.spares, c)
			tellFirst(first, nil)
		case err := <-n.failed:
			n.starting--
			n.failures++
			n.cfg.Logger.Error("a child could not be started, trying again", "err", err)
			if errors.Is(err, errNoServeChild) || n.failures == triesToStart {
				tellFirst(first, err)
			}
			rest = time.After(wait.next())
		case c := <-n.lost:
			n.spares = slices.DeleteFunc(n.spares, func(s *child) bool { return s == c })
			n.cfg.Logger.Warn("an idle child has ended, starting another")
			rest = time.After(wait.next())
		case <-rest:
			rest = nil
		case <-n.closing:
			n.end()
			return
		}
	}
}

func tellFirst(first chan<- error, err error) {
	select {
	case first <- err:
	default: // it was told
	}
}

// start starts one child, which reports to ready or failed.
func (n *nursery) start(ctx context.Context) {
	c, err := startChild(ctx)
	n.living.Go(func() {
		if err == nil {
			err = c.born(n.closing)
		}
		if err != nil {
			n.tell(nil, err)
			return
		}
		n.tell(c, nil)
		<-c.gone
		if !c.taken.Load() {
			select {
			case n.lost <- c:
			case <-n.closing:
			}
		}
	})
}

func (n *nursery) tell(c *child, err error) {
	if err != nil {
		select {
		case n.failed <- err:
		case <-n.closing:
		}
		return
	}
	select {
	case n.ready <- c:
	case <-n.closing:
		c.retire()
	}
}

// end lets the spares go, and waits for all children, though not for ever.
func (n *nursery) end() {
	for _, c := range n.spares {
		c.retire()
	}
	n.living.Wait()
}
