package batch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// The limits of one chunk of members.
const (
	chunkJobs  = 1000
	chunkBytes = 1 << 20
)

var errUnfinished = errors.New("batch: the last Add has failed: repeat it with the same jobs first, or Cancel the batch")

// addition is a call of Add, which is continued by the next one if it fails.
type addition struct {
	jobs   int   // how many jobs were passed
	first  int64 // the number of the first one
	done   int   // how many of them are in chunks
	number int64 // of the next chunk
	chunks []*chunk
	size   int       // of their payloads
	now    time.Time // on Redis's clock; zero if it was not needed
}

// chunk has members that are pushed to one queue, or delayed until one time.
type chunk struct {
	queue    string
	due      time.Time // zero if they are not delayed
	payloads [][]byte
	number   int64 // -1 until it is sent
}

// Add adds jobs to the batch and enqueues them, in chunks of up to 1,000 jobs of a queue.
// Delayed jobs take a round trip for each time at which they are due.
//
// If Add returns an error, some jobs may have been added. Call Add again with the same
// jobs: it continues where the first call has failed and adds no job twice, even if the
// reply of Redis was lost. Until then the batch accepts no other jobs and cannot be sealed.
// The error wraps [ErrSealed], [ErrCanceled] or [ErrNotFound] if the batch accepts no jobs
// any more; there is nothing to repeat then. It wraps [ErrRubyScheduler] for a delayed job
// while a Ruby process is the scheduler.
//
// A job that an enqueue hook vetoes is not a member.
func (b *Batch) Add(ctx context.Context, jobs ...resque.Job) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(jobs) == 0 {
		return nil
	}
	a := b.adding
	switch {
	case a == nil:
		a = &addition{jobs: len(jobs)}
		if err := b.clock(ctx, a, jobs); err != nil {
			return err
		}
		first, err := b.take(ctx, len(jobs))
		if err != nil {
			return err
		}
		a.first, a.number = first, first
	case a.jobs != len(jobs):
		return errUnfinished
	}
	err := b.send(ctx, a)
	for err == nil && a.done < len(jobs) {
		err = b.collect(ctx, a, jobs)
	}
	b.adding = nil
	if err != nil && !errors.Is(err, ErrSealed) && !errors.Is(err, ErrCanceled) && !errors.Is(err, ErrNotFound) {
		b.adding = a
	}
	return err
}

// clock reads Redis's clock if a job is delayed. It returns an error if a Ruby process is
// the scheduler.
func (b *Batch) clock(ctx context.Context, a *addition, jobs []resque.Job) error {
	for _, job := range jobs {
		if _, delayed := job.Delayed(time.Time{}); !delayed {
			continue
		}
		m, err := b.store.ReadMaster(ctx, "")
		if err != nil {
			return wrap(err)
		}
		if id, _ := wire.ParseWorkerID(m.Holder); m.Holder != "" && !id.Go {
			return ErrRubyScheduler
		}
		a.now = m.Now
		return nil
	}
	return nil
}

// collect adds jobs to chunks until one is full, and sends them. The jobs after one with
// hooks are added inside of its hooks, so that it has been sent when they return.
func (b *Batch) collect(ctx context.Context, a *addition, jobs []resque.Job) error {
	for a.done < len(jobs) && a.size < chunkBytes {
		job := jobs[a.done]
		n := a.first + int64(a.done)
		hooked, sent, inside := b.client.Hooked(job), false, error(nil)
		due, _ := job.Delayed(a.now)
		a.done++
		_, err := b.client.EnqueueWith(ctx, b.mark(job.Undelayed(), n), func(ctx context.Context, queue string, payload []byte) error {
			if sent { // the hook has called next more than once
				return fmt.Errorf("batch: a hook has enqueued job %d twice", n)
			}
			sent = hooked
			full := a.put(queue, due, payload)
			switch {
			case !hooked && full:
				a.size = chunkBytes
			case hooked && (full || a.size >= chunkBytes || a.done == len(jobs)):
				inside = b.send(ctx, a)
			case hooked:
				inside = b.collect(ctx, a, jobs)
			}
			return inside
		})
		switch {
		case inside != nil:
			return inside
		case err != nil && !sent: // it is not encoded
			a.done--
			return fmt.Errorf("batch: job %d: %w", a.done+1, err)
		case err != nil: // an error of a hook, after the job was added
			return fmt.Errorf("batch: job %d was added, but: %w", a.done, err)
		case sent:
			return nil
		}
	}
	return b.send(ctx, a)
}

// put adds a payload to the chunk of its queue and its time, and reports whether that is
// full.
func (a *addition) put(queue string, due time.Time, payload []byte) (full bool) {
	a.size += len(payload)
	second := due.Truncate(time.Second)
	if !due.IsZero() && !second.After(a.now) {
		second = time.Time{}
	}
	for _, c := range a.chunks {
		if c.queue == queue && c.due.Equal(second) {
			c.payloads = append(c.payloads, payload)
			return len(c.payloads) >= chunkJobs
		}
	}
	a.chunks = append(a.chunks, &chunk{queue: queue, due: second, payloads: [][]byte{payload}, number: -1})
	return len(a.chunks) >= chunkJobs
}

// send sends the chunks. Those that cannot be sent stay, with their numbers, so that Redis
// recognizes them.
func (b *Batch) send(ctx context.Context, a *addition) error {
	for len(a.chunks) > 0 {
		c := a.chunks[0]
		if c.number < 0 {
			c.number = a.number
			a.number++
		}
		if err := b.sendChunk(ctx, c); err != nil {
			return err
		}
		a.chunks = a.chunks[1:]
	}
	a.size = 0
	return nil
}

func (b *Batch) sendChunk(ctx context.Context, c *chunk) error {
	m := store.MemberChunk{Number: c.number, Members: len(c.payloads), Within: b.within}
	if c.due.IsZero() {
		m.Effects = b.store.PushMembers(c.queue, c.payloads)
	} else {
		for _, p := range c.payloads {
			m.Effects = append(m.Effects, b.store.Later(c.due, c.queue, p)...)
		}
	}
	return b.add(ctx, m)
}

func (b *Batch) add(ctx context.Context, m store.MemberChunk) error {
	added, err := b.store.AddMembers(ctx, b.id, m)
	switch {
	case err != nil:
		return wrap(err)
	case added == store.NotAdded:
		return fmt.Errorf("%w: %s", ErrNotFound, b.id)
	case added == store.AddedSealed:
		return fmt.Errorf("%w: %s", ErrSealed, b.id)
	case added == store.AddedCanceled:
		return fmt.Errorf("%w: %s", ErrCanceled, b.id)
	}
	return nil
}

// Member returns job as a member of the batch without enqueueing it. Use it as a callback
// of another batch: the batch is then complete only after that callback has ended. So
// batches follow each other, and one batch waits for several others. If the job is never
// enqueued, the batch is never complete, unless it is canceled.
func (b *Batch) Member(ctx context.Context, job resque.Job) (resque.Job, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.adding != nil {
		return resque.Job{}, errUnfinished
	}
	n, err := b.take(ctx, 1)
	if err == nil {
		err = b.addUntilAnswered(ctx, store.MemberChunk{Number: n, Members: 1, Within: b.within})
	}
	if err != nil {
		return resque.Job{}, err
	}
	return b.mark(job, n), nil
}

// addUntilAnswered repeats a call whose reply was lost, because another call of Member
// would count another job.
func (b *Batch) addUntilAnswered(ctx context.Context, m store.MemberChunk) (err error) {
	const tries = 5
	for range tries {
		if err = b.add(ctx, m); err == nil || store.Refused(err) || ctx.Err() != nil || errors.Is(err, ErrSealed) || errors.Is(err, ErrCanceled) || errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return fmt.Errorf("%w (if the job was counted, the batch is not complete until it is canceled)", err)
}
