package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goresque/goresque/resque"
)

// inChild performs a slot's jobs in child processes. The worker alone reserves
// and finishes.
//
// Ruby: Resque::Worker#perform_with_fork.
type inChild struct {
	nursery *nursery
	limits  limits
	cfg     Config
	changed pulse
	kept    *child // has performed a job and may perform more

	mu     sync.Mutex
	child  *child // has the job in hand
	doomed bool   // the job in hand is to be cut off
}

// errUnstarted is the end of a job that no child has begun.
var errUnstarted = errors.New("the job was not begun")

func (p *inChild) perform(ctx context.Context, job *resque.Reserved, handsBack func() bool) (hooked bool, err error) {
	if hook := p.cfg.Hooks.BeforeFork; hook != nil {
		if err := guard(func() error { return hook(ctx, job) }); err != nil {
			return false, fmt.Errorf("before the fork: %w", err)
		}
	}
	for tries := 1; ; tries++ {
		c, ok := p.take(ctx)
		if !ok {
			return false, errUnstarted
		}
		hooked, err = p.converse(ctx, c, job, handsBack)
		p.leave(c)
		if !errors.Is(err, errUnstarted) || ctx.Err() != nil || p.isDoomed() {
			return hooked, err
		}
		if tries == triesToBegin {
			<-c.gone
			return false, dirtyExit(c)
		}
	}
}

// triesToBegin is how many children may end before one has begun a job: it may
// be the job, being too large for them.
const triesToBegin = 5

// take takes the child that the job is for.
func (p *inChild) take(ctx context.Context) (*child, bool) {
	c := p.kept
	p.kept = nil
	if c != nil && p.old(c) {
		c.retire()
		c = nil
	}
	if c == nil {
		var ok bool
		if c, ok = p.nursery.take(ctx); !ok {
			return nil, false
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.child = c
	p.changed.beat()
	if p.doomed {
		c.kill()
	}
	return c, true
}

// leave keeps the child for the next job, or lets it go.
func (p *inChild) leave(c *child) {
	p.mu.Lock()
	p.child = nil
	p.mu.Unlock()
	select {
	case <-c.gone:
		return
	default:
	}
	if p.old(c) {
		c.retire()
		return
	}
	p.kept = c
}

// old tells whether a child has done its part.
func (p *inChild) old(c *child) bool {
	return c.jobs >= p.cfg.JobsPerChild ||
		(p.cfg.ChildLifetime > 0 && time.Since(c.since) >= p.cfg.ChildLifetime)
}

// converse hands the job to the child and waits for its end.
func (p *inChild) converse(ctx context.Context, c *child, job *resque.Reserved, handsBack func() bool) (hooked bool, err error) {
	a := assignment{Queue: job.Queue, Worker: job.Worker, Timeout: p.limits.limit(job.Class)}
	if err := writeFrame(c.to, frameJob, a, job.Payload); err != nil {
		c.kill() // it is as good as dead: nobody reads
	}
	c.jobs++
	begun, told := false, ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case f, ok := <-c.frames:
			switch {
			case ok && f.kind == frameAccepted:
				begun = true
			case ok && f.kind == frameReady: // it was told already
			case ok:
				return !f.OK, f.err(job.Class)
			case !begun:
				return false, errUnstarted
			default:
				<-c.gone
				return false, p.cutOff(ctx, c)
			}
		case <-told:
			told = nil
			p.tell(ctx, c, ask{HandsBack: handsBack()})
			late = time.After(p.cfg.TermTimeout)
		case <-late:
			c.kill()
		}
	}
}

// tell tells the child that the job is to end. A time limit it knows of itself.
func (p *inChild) tell(ctx context.Context, c *child, a ask) {
	if errors.Is(context.Cause(ctx), resque.ErrTerm) {
		_ = writeFrame(c.to, frameTerm, a, nil) // a child that does not read ends by KILL
	}
}

// cutOff is the error of a job whose child has ended before it.
func (p *inChild) cutOff(ctx context.Context, c *child) error {
	var late *resque.TimeoutError
	if errors.As(context.Cause(ctx), &late) {
		return late
	}
	return dirtyExit(c)
}

// killer dooms the job to come, from when it is in hand.
func (p *inChild) killer() func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doomed = false
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.doomed = true
		if p.child != nil {
			p.child.kill()
		}
	}
}

func (p *inChild) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.child == nil {
		return 0
	}
	return p.child.cmd.Process.Pid
}

func (p *inChild) isDoomed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.doomed
}

// close lets the kept child go.
func (p *inChild) close() {
	if p.kept != nil {
		p.kept.retire()
		p.kept = nil
	}
}
