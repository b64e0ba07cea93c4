package fork

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/backoff"
)

// Config is how a pool's children are used.
type Config struct {
	// JobsPerChild is how many jobs a child may be handed. Lifetime is the age
	// from which it gets no more; 0 means any.
	JobsPerChild int
	Lifetime     time.Duration

	// StopTimeout is how long a job may go on after its context ended, before its
	// child is killed.
	StopTimeout time.Duration

	// Changed is called when a slot has taken a child.
	Changed func()

	Logger *slog.Logger

	environ []string // of children, beside this process's; for tests
}

// Pool starts children and keeps a spare one ready, so that a job need not wait
// for the start of a process. Slots that take a child at the same time have as
// many started at once.
type Pool struct {
	cfg      Config
	wanted   chan chan *child
	unwanted chan chan *child
	ready    chan *child
	failed   chan error
	lost     chan *child // a spare that has ended
	closing  chan struct{}
	closed   chan struct{}
	living   sync.WaitGroup // a goroutine for each child
}

// maxStarts is how often the start of the first child may fail before Open gives
// up: TERM to the whole group, which stops the worker, also ends a child that is
// not yet ready.
const maxStarts = 3

// Open returns a pool when a child is ready, or why there can be none. Close
// closes it.
func Open(ctx context.Context, cfg Config) (*Pool, error) {
	p := &Pool{
		cfg:    cfg,
		wanted: make(chan chan *child), unwanted: make(chan chan *child),
		ready: make(chan *child), failed: make(chan error), lost: make(chan *child),
		closing: make(chan struct{}), closed: make(chan struct{}),
	}
	first := make(chan error, 1)
	go p.run(context.WithoutCancel(ctx), first)
	select {
	case err := <-first:
		if err != nil {
			p.Close()
			return nil, err
		}
		return p, nil
	case <-ctx.Done():
		p.Close()
		return nil, context.Cause(ctx)
	}
}

// Close ends the spare child and returns when no child is left. The slots must
// have been closed before. A nil pool needs no Close.
func (p *Pool) Close() {
	if p != nil {
		close(p.closing)
		<-p.closed
	}
}

// take returns a child that is ready; ok is false if ctx ends before there is one.
func (p *Pool) take(ctx context.Context) (c *child, ok bool) {
	answer := make(chan *child, 1)
	p.wanted <- answer
	select {
	case c = <-answer:
		return c, true
	case <-ctx.Done():
		p.unwanted <- answer
		select {
		case c = <-answer:
			return c, true
		default:
			return nil, false
		}
	}
}

// poolState is what run's goroutine knows.
type poolState struct {
	spares   []*child
	waiting  []chan *child
	starting int
	failures int // to start the first child
	backoff  backoff.Backoff
	rest     <-chan time.Time // no child is started before: the last ones failed
}

// run starts and hands out children until the pool is closed. It locks its thread:
// the system ends children with the thread that started them (see withParent).
func (p *Pool) run(ctx context.Context, first chan<- error) {
	runtime.LockOSThread()
	defer close(p.closed)
	var s poolState
	for {
		for s.rest == nil && s.starting+len(s.spares) < len(s.waiting)+1 {
			s.starting++
			p.start(ctx)
		}
		for len(s.spares) > 0 && len(s.waiting) > 0 {
			s.spares[0].taken.Store(true)
			s.waiting[0] <- s.spares[0]
			s.spares, s.waiting = s.spares[1:], s.waiting[1:]
			s.backoff.Reset()
		}
		select {
		case c := <-p.wanted:
			s.waiting = append(s.waiting, c)
		case c := <-p.unwanted:
			s.waiting = slices.DeleteFunc(s.waiting, func(w chan *child) bool { return w == c })
		case c := <-p.ready:
			s.starting--
			s.spares = append(s.spares, c)
			report(first, nil)
		case err := <-p.failed:
			p.startFailed(&s, first, err)
		case c := <-p.lost:
			s.spares = slices.DeleteFunc(s.spares, func(spare *child) bool { return spare == c })
			p.cfg.Logger.Warn("an idle child has ended, starting another")
			s.rest = time.After(s.backoff.Next())
		case <-s.rest:
			s.rest = nil
		case <-p.closing:
			for _, c := range s.spares {
				c.retire()
			}
			p.living.Wait()
			return
		}
	}
}

func (p *Pool) startFailed(s *poolState, first chan<- error, err error) {
	s.starting--
	s.failures++
	p.cfg.Logger.Error("a child could not be started, trying again", "err", err)
	if errors.Is(err, errNotServing) || s.failures == maxStarts {
		report(first, err)
	}
	s.rest = time.After(s.backoff.Next())
}

// report sends the result of the first start, once.
func report(first chan<- error, err error) {
	select {
	case first <- err:
	default:
	}
}

// start starts a child, and a goroutine that waits until it is ready and then
// until it has ended.
func (p *Pool) start(ctx context.Context) {
	c, err := startChild(ctx, p.cfg.environ)
	p.living.Go(func() {
		if err == nil {
			err = c.waitReady(p.closing)
		}
		if err != nil {
			select {
			case p.failed <- err:
			case <-p.closing:
			}
			return
		}
		select {
		case p.ready <- c:
		case <-p.closing:
			c.retire()
		}
		<-c.ended
		if !c.taken.Load() {
			select {
			case p.lost <- c:
			case <-p.closing:
			}
		}
	})
}
