package policy

import (
	"context"
	"sync"
)

// Notes are what a policy notes in the handler of a job for its method End. Only a handler
// in the process of the worker has them. They are safe for concurrent use: a job may end
// while its handler still runs.
type Notes struct {
	mu      sync.Mutex
	members []any // names and values of the status of the job, as store.EndStatus takes them
}

// JobKey is the key of the job, a *resque.Payload, in the context with which it is
// performed.
type JobKey struct{}

type notesKey struct{}

// WithNotes returns a copy of ctx, the context of a job, that has notes.
func WithNotes(ctx context.Context, n *Notes) context.Context {
	return context.WithValue(ctx, notesKey{}, n)
}

// NotesFromContext returns the notes of a job. ok is false if there are none: then End does
// not see what the handler notes.
func NotesFromContext(ctx context.Context) (n *Notes, ok bool) {
	n, ok = ctx.Value(notesKey{}).(*Notes)
	return n, ok
}

// SetStatus notes members of the status of the job.
func (n *Notes) SetStatus(members []any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.members = members
}

// Status returns the noted members, which must not be changed. n may be nil.
func (n *Notes) Status() []any {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.members
}
