package worker

import (
	"context"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/policy"
)

// batches knows which batches are canceled. Members of a canceled batch are not
// performed.
type batches struct {
	backend interface {
		IsCanceled(ctx context.Context, batch string) (bool, error)
	}

	mu    sync.Mutex
	known map[string]batchLook // by id
}

// batchLook is what a look at a batch has found.
type batchLook struct {
	canceled bool
	at       time.Time
}

const (
	// lookAgain is how long a batch that is not canceled is not looked at again: one
	// command a second for each batch that a process works on.
	lookAgain = time.Second
	// lookTimeout bounds a look. If Redis does not answer, the job is performed.
	lookTimeout = 2 * time.Second
	// mostKnown is how many batches are remembered.
	mostKnown = 1000
)

func newBatches(backend interface {
	IsCanceled(ctx context.Context, batch string) (bool, error)
},
) *batches {
	return &batches{backend: backend, known: map[string]batchLook{}}
}

// isCanceled reports whether a payload is that of a member of a canceled batch.
func (b *batches) isCanceled(ctx context.Context, payload []byte) bool {
	mark, ok := policy.MarkOf(payload)
	if !ok {
		return false
	}
	b.mu.Lock()
	look, known := b.known[mark.ID]
	if known && (look.canceled || time.Since(look.at) < lookAgain) {
		b.mu.Unlock()
		return look.canceled
	}
	if len(b.known) >= mostKnown {
		clear(b.known)
	}
	b.known[mark.ID] = batchLook{at: time.Now()} // the other slots do not look meanwhile
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	canceled, err := b.backend.IsCanceled(ctx, mark.ID)
	if err == nil && canceled {
		b.mu.Lock()
		b.known[mark.ID] = batchLook{canceled: true, at: time.Now()}
		b.mu.Unlock()
	}
	return canceled
}

// isMember reports whether the job may be a member of a batch.
func (in *runningJob) isMember() bool { return policy.MayBeMember(in.reserved.Payload) }

// skip returns the outcome of a job that is not performed because its batch is canceled.
// It counts as processed, as a job that a hook refused.
func (s *slot) skip(in *runningJob) *finished {
	s.log.Info("job not performed: its batch is canceled", "class", in.job.Class, "queue", in.job.Queue, "worker", in.reserved.Worker)
	in.skipped = true
	return s.processed(in, policy.Vetoed)
}
