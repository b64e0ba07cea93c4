package worker

import (
	"context"

	"github.com/goresque/goresque/resque"
)

// performer performs a slot's jobs, one at a time, where they are to be
// performed.
type performer interface {
	// perform says how the job ended; hooked, that its failure hooks know. They
	// need not where handsBack says that a job which is ended goes back to its
	// queue.
	perform(ctx context.Context, job *resque.Reserved, handsBack func() bool) (hooked bool, err error)

	// killer returns what ends the job to come at once, at any time and more than
	// once; nil where that is not possible.
	killer() func()

	// pid is the child that has the job in hand; 0 is none. At any time.
	pid() int

	// close releases what the performer has.
	close()
}

// inProcess performs jobs in the slot's own goroutine.
type inProcess struct{ handler resque.Handler }

func (p inProcess) perform(ctx context.Context, job *resque.Reserved, _ func() bool) (hooked bool, err error) {
	return false, resque.Perform(ctx, p.handler, job)
}

func (inProcess) killer() func() { return nil }

func (inProcess) pid() int { return 0 }

func (inProcess) close() {}
