package worker

import (
	"context"

	"github.com/goresque/goresque/resque"
)

// performer performs a slot's jobs, one at a time, in this process or in a child.
type performer interface {
	// perform returns how the job ended; hooked reports whether its failure hooks
	// were called. They are not called if returns reports that a job which is told
	// to end goes back to its queue. The job is cut off when killed is closed, if
	// kills reports true.
	perform(ctx context.Context, job *resque.Reserved, killed <-chan struct{}, returns func() bool) (hooked bool, err error)
	kills() bool

	// pid is the child that performs the job; 0 is none. Any goroutine may call it.
	pid() int

	// close releases what the performer has.
	close()
}

// inProcess performs jobs in the slot's own goroutine.
type inProcess struct{ handler resque.Handler }

func (p inProcess) perform(ctx context.Context, job *resque.Reserved, _ <-chan struct{}, _ func() bool) (hooked bool, err error) {
	return false, resque.Perform(ctx, p.handler, job)
}

func (inProcess) kills() bool { return false }
func (inProcess) pid() int    { return 0 }
func (inProcess) close()      {}
