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

// Config configures a pool.
type Config struct {
	// JobsPerChild is how many jobs a child may get. A child that is older than
	// Lifetime gets no more jobs; 0 means no limit.
	JobsPerChild int
	Lifetime     time.Duration

	// StopTimeout is how long a job may continue after its context has ended. Then
	// its child is killed.
	StopTimeout time.Duration

	// Changed is called when a slot has taken a child.
	Changed func()

	Logger *slog.Logger

	environ []string // added to the environment of children; for tests
}

// Pool starts children and keeps a spare one ready, so that a job need not wait for the
// start of a process. If several slots wait for a child, it starts several at once.
type Pool struct {
	cfg      Config
	wanted   chan chan *child
	unwanted chan chan *child
	ready    chan *child
	failed   chan error
	lost     chan *child // spares that have ended
	closing  chan struct{}
	closed   chan struct{}
	children sync.WaitGroup // a goroutine for each child
}

// maxStarts is how many times the start of the first child may fail before Open returns
// an error. One failure proves nothing: a TERM to the process group, which stops the
// worker, also ends a child that is not ready yet.
const maxStarts = 3

// Open returns a pool as soon as a child is ready, or the reason why no child starts.
// The caller must call Close.
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
		if err == nil {
			err = context.Cause(ctx) // it may have ended at the same time
		}
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

// Close ends the spare child and waits until all children have ended. The slots must be
// closed first. Close of a nil pool does nothing.
func (p *Pool) Close() {
	if p != nil {
		close(p.closing)
		<-p.closed
	}
}

// take returns a child that is ready. ok is false if ctx ends first.
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

// poolState is the state of run.
type poolState struct {
	spares   []*child
	waiting  []chan *child
	starting int
	failures int // number of failed starts
	backoff  backoff.Backoff
	rest     <-chan time.Time // if not nil, no child is started before it receives
}

// run starts children and passes them to slots until the pool is closed. It locks its
// thread, because the system ends children with the thread that started them (see
// withParent).
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
			p.children.Wait()
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

// start starts a child, and a goroutine that waits until the child is ready and then
// until it has ended.
func (p *Pool) start(ctx context.Context) {
	c, err := startChild(ctx, p.cfg.environ)
	p.children.Go(func() {
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
