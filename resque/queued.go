package resque

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// Queue is a queue whose waiting jobs can be read, moved and removed while workers
// take jobs from its front. It is safe for concurrent use.
type Queue struct {
	store *store.Store
	name  string
	locks locks
}

// Queue returns the queue with that name. The queue need not exist.
func (c *Client) Queue(name string) *Queue {
	return &Queue{store: c.store, name: name, locks: c.locks()}
}

// QueuedJob is a job in a queue. [ParsePayload] reads Raw. Size is the length of the
// payload, which is more than that of Raw if [Queue.Preview] read only its beginning.
type QueuedJob struct {
	ID   QueuedJobID
	Raw  []byte
	Size int64
}

// IsWhole reports whether Raw is the whole payload.
func (j QueuedJob) IsWhole() bool { return int64(len(j.Raw)) == j.Size }

// QueuedJobID identifies a job in a queue by its position and the digest of its
// payload. A position alone would identify another job as soon as a worker takes one.
type QueuedJobID struct {
	Position int64  // in the queue; 0 is the next job that a worker takes
	Digest   string // of the payload's bytes, 16 hexadecimal digits
}

// String returns POSITION-DIGEST. [ParseQueuedJobID] reads it.
func (id QueuedJobID) String() string { return strconv.FormatInt(id.Position, 10) + "-" + id.Digest }

// ErrQueuedJobID is wrapped by the errors of [ParseQueuedJobID].
var ErrQueuedJobID = errors.New("resque: invalid queued job id")

// ParseQueuedJobID returns the QueuedJobID whose [QueuedJobID.String] is text.
func ParseQueuedJobID(text string) (QueuedJobID, error) {
	position, digest, _ := strings.Cut(text, "-")
	n, err := strconv.ParseInt(position, 10, 64)
	if err != nil || n < 0 || len(digest) != digestLength {
		return QueuedJobID{}, fmt.Errorf("%w %q (an id looks like 17-2fd4e1c67a2d28fc)", ErrQueuedJobID, text)
	}
	return QueuedJobID{Position: n, Digest: digest}, nil
}

// Page returns up to count jobs, starting at position first, and the size of the
// queue, in one round trip. Position 0 is the next job that a worker takes. If the
// payloads are larger than about 2 MB together, Page returns fewer, but at least one
// unless the queue ends before.
//
// Ruby: Resque.peek with Resque.size.
func (q *Queue) Page(ctx context.Context, first, count int64) (jobs []QueuedJob, size int64, err error) {
	part, size, err := q.store.QueuePart(ctx, q.name, first, count)
	return queuedJobs(part), size, err
}

// queuedJobs returns jobs that were read whole.
func queuedJobs(part []store.Entry) []QueuedJob {
	jobs := make([]QueuedJob, len(part))
	for i, e := range part {
		jobs[i] = QueuedJob{ID: QueuedJobID{e.Position, store.Digest(e.Raw)[:digestLength]}, Raw: e.Raw, Size: e.Size}
	}
	return jobs
}

// Preview is like [Queue.Page], but always returns count jobs if the queue has them. It
// reads about bytes bytes of whole payloads; of the others it returns only the
// beginning: see [QueuedJob.IsWhole]. It takes more than one round trip only if the
// payloads are large.
func (q *Queue) Preview(ctx context.Context, first, count, bytes int64) (jobs []QueuedJob, size int64, err error) {
	entries, size, err := q.store.QueuePreview(ctx, q.name, first, count, max(bytes, 0))
	for _, e := range entries {
		jobs = append(jobs, QueuedJob{ID: QueuedJobID{e.Position, e.Digest[:digestLength]}, Raw: e.Raw, Size: e.Size})
	}
	return jobs, size, err
}

// find searches for a job at its position and then in front of it, because the job
// moves there as workers take others. Only the digests of large payloads are read
// until it is found.
func (q *Queue) find(ctx context.Context, id QueuedJobID) (raw []byte, ok bool, err error) {
	const part, limit = 500, 10_000
	raw, ok, err = q.findAt(ctx, id, id.Position)
	for last := id.Position - 1; err == nil && !ok && last >= max(0, id.Position-limit); last -= part {
		var jobs []QueuedJob
		first := max(last-part+1, 0)
		if jobs, _, err = q.Preview(ctx, first, last-first+1, 0); err != nil {
			return nil, false, err
		}
		for _, job := range slices.Backward(jobs) {
			if !ok && job.ID.Digest == id.Digest {
				raw, ok, err = q.findAt(ctx, id, job.ID.Position)
			}
		}
	}
	return raw, ok, err
}

func (q *Queue) findAt(ctx context.Context, id QueuedJobID, position int64) (raw []byte, ok bool, err error) {
	jobs, _, err := q.Page(ctx, position, 1)
	if err != nil || len(jobs) == 0 || jobs[0].ID.Digest != id.Digest {
		return nil, false, err
	}
	return jobs[0].Raw, true, nil
}

// take finds the jobs with the given ids and passes those that still exist to fn, up to
// bytesAtOnce at a time. fn reports for each whether it took the job.
func (q *Queue) take(ctx context.Context, ids []QueuedJobID, fn func(jobs [][]byte) ([]bool, error)) (BulkProgress, error) {
	p := BulkProgress{Total: int64(len(ids))}
	for len(ids) > 0 {
		var jobs [][]byte
		n, size := 0, 0
		for ; n < min(len(ids), actsAtOnce) && size < bytesAtOnce; n++ {
			raw, ok, err := q.find(ctx, ids[n])
			if err != nil {
				return p, err
			}
			if ok {
				jobs = append(jobs, raw)
				size += len(raw)
			}
		}
		taken, err := fn(jobs)
		if err != nil {
			return p, err
		}
		ids = ids[n:]
		p.Seen += int64(n)
		for _, ok := range taken {
			if ok {
				p.Done++
			}
		}
		p.Gone = p.Seen - p.Done
	}
	return p, nil
}

// Remove removes the jobs with the given ids. It counts jobs that are no longer in
// the queue as Gone.
//
// Ruby: Resque.dequeue, which removes all jobs with the same bytes.
func (q *Queue) Remove(ctx context.Context, how RemoveOptions, ids ...QueuedJobID) (BulkProgress, error) {
	trash := newQueueTrash(q.name, how.Keep)
	gone, locks := members{}, q.locks
	if err := q.store.NoteTrash(ctx, trash, time.Now()); err != nil {
		return BulkProgress{}, err
	}
	p, err := q.take(ctx, ids, func(jobs [][]byte) ([]bool, error) {
		removed, err := q.store.RemoveJobs(ctx, q.name, jobs, trash)
		var done [][]byte
		for i, ok := range removed {
			if ok {
				gone.add(jobs[i])
				done = append(done, jobs[i])
			}
		}
		return removed, errors.Join(err, locks.free(ctx, q.name, done...), forgetAttempts(ctx, q.store, q.locks.jobs, parsedJobs(q.name, done...)...))
	})
	err = errors.Join(err, gone.count(ctx, q.store, store.MemberRemoved))
	p.keep(trash)
	return p, errors.Join(err, q.store.ForgetUnused(ctx, trash, p.Done))
}

// Move moves the jobs with the given ids to the end of another queue. It counts jobs
// that are no longer in this queue as Gone.
func (q *Queue) Move(ctx context.Context, to string, ids ...QueuedJobID) (BulkProgress, error) {
	if err := validQueue(to); err != nil {
		return BulkProgress{}, err
	}
	return q.take(ctx, ids, func(jobs [][]byte) ([]bool, error) { return q.store.MoveJobs(ctx, q.name, to, jobs) })
}

// Clear removes all jobs of the queue, in one step, unless a batch has members that have
// not ended, or the client has [Client.WithJobs] and there may be jobs with locks: then it
// removes them as [Queue.RemoveMatching] does, so that members among them are counted and
// locks freed. The queue itself stays known.
func (q *Queue) Clear(ctx context.Context, how RemoveOptions) (BulkProgress, error) {
	waits, err := hasPending(ctx, q.store)
	locks := q.locks
	if err == nil {
		err = locks.present(ctx)
	}
	if err != nil {
		return BulkProgress{}, err
	}
	if waits || locks.any() {
		return q.RemoveMatching(ctx, how, func(QueuedJob) bool { return true }, nil)
	}
	trash := newQueueTrash(q.name, how.Keep)
	if err := q.store.NoteTrash(ctx, trash, time.Now()); err != nil {
		return BulkProgress{}, err
	}
	n, err := q.store.ClearQueue(ctx, q.name, trash)
	if err != nil {
		return BulkProgress{}, err
	}
	p := BulkProgress{Total: n, Seen: n, Done: n}
	p.keep(trash)
	return p, q.store.ForgetUnused(ctx, trash, n)
}

// Forget removes the queue from the known queues if it is empty.
//
// Ruby: Resque.remove_queue, which also removes its jobs.
func (q *Queue) Forget(ctx context.Context) error { return q.store.ForgetQueue(ctx, q.name) }

// keep adds the trash to the result, if something was moved to it.
func (p *BulkProgress) keep(trash store.Trash) {
	if trash.Keep > 0 && p.Done > 0 {
		p.Trash = []string{trash.Token}
	}
}
