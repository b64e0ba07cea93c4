package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// Fixed is what [Fix] has done about a finding.
type Fixed struct {
	Code string `json:"code"`
	Done string `json:"done"`
	N    int64  `json:"count"`

	// Trash are tokens, with which [resque.Client.Restore] puts back what was removed.
	Trash []string `json:"trash,omitempty"`
}

// Fix does what can be done without a loss about the findings whose Fixable is true. It adds
// queues to the set of queues (K02), removes heartbeats that cannot be read (W02) and those of
// workers that are gone (W06), makes delayed jobs known to schedulers (D04, D05), records those
// that cannot be read as failed (D06), and frees the places of limits that no job holds (G01).
// It moves the keys of jobs that do not exist to the trash (T01 to T04), after a wait of 5
// seconds: Ruby's plugins take the lock of a job before they push the job. A second call
// finds nothing to do. Use [Check] first to see what would be done.
func Fix(ctx context.Context, client *resque.Client, opts Options) ([]Fixed, error) {
	c, err := newCheckup(ctx, client, opts)
	if err != nil {
		return nil, err
	}
	c.fixes = true
	f := fixer{checkup: c}
	if _, err := c.count(ctx); err != nil {
		return nil, fmt.Errorf("doctor: %w", err)
	}
	for _, fix := range []func(context.Context) error{f.queues, f.unreadable, f.heartbeats, f.delayed, f.damagedDelayed, f.keys, f.places} {
		if err := fix(ctx); err != nil {
			return f.fixed, fmt.Errorf("doctor: %w", err)
		}
	}
	return f.fixed, nil
}

type fixer struct {
	*checkup
	fixed []Fixed
}

func (f *fixer) add(code, done string, n int64, trash ...string) {
	if n > 0 {
		f.fixed = append(f.fixed, Fixed{Code: code, Done: done, N: n, Trash: trash})
	}
}

func (f *fixer) queues(ctx context.Context) error {
	n, err := f.store.ListQueues(ctx)
	f.add("K02", "queues added to the set of queues", n)
	return err
}

// unreadable removes the heartbeats that cannot be read, except those of connected workers.
func (f *fixer) unreadable(ctx context.Context) error {
	var removed int64
	for _, w := range f.snap.Workers {
		if w.HeartbeatText == "" || !w.Heartbeat.IsZero() {
			continue
		}
		if id, _ := wire.ParseWorkerID(w.ID); id.Go {
			if tokens, known, err := f.store.Present(ctx, id.Process()); err != nil || !known || len(tokens) > 0 {
				continue
			}
		}
		ok, err := f.store.ForgetHeartbeat(ctx, w.ID, w.HeartbeatText)
		if err != nil {
			return err
		}
		if ok {
			removed++
		}
	}
	f.add("W02", "heartbeats that cannot be read removed", removed)
	return nil
}

func (f *fixer) heartbeats(ctx context.Context) error {
	var removed int64
	for _, w := range f.snap.Workers {
		if w.Registered {
			continue
		}
		_, err := f.client.Prune(ctx, w.ID, resque.PruneOptions{Silent: f.opts.Silence})
		switch {
		case err == nil:
			removed++
		case !errors.Is(err, resque.ErrNoWorker) && !errors.Is(err, resque.ErrWorkerAlive):
			return err
		}
	}
	f.add("W06", "heartbeats of workers that are gone removed", removed)
	return nil
}

func (f *fixer) delayed(ctx context.Context) error {
	repair, err := f.client.Delayed().Repair(ctx, false)
	f.add("D04", "seconds with delayed jobs made known to schedulers", repair.Added)
	f.add("D05", "due seconds without jobs removed", repair.Removed)
	return err
}

// damagedDelayed records delayed jobs that cannot be read as failed, as a Go scheduler does
// when they are due.
func (f *fixer) damagedDelayed(ctx context.Context) error {
	const some = 50
	var failed int64
	for {
		var acts []store.DelayedAct
		for job, err := range f.damaged(ctx) {
			if err != nil {
				return err
			}
			if job.Class != "" {
				continue
			}
			failure := resque.NewFailure(&resque.Payload{Raw: job.Raw}, notReadable{job.Damage}, time.Now())
			acts = append(acts, store.DelayedAct{
				Delayed: store.Delayed{Due: job.ID.Second, Payload: job.Raw}, Position: job.ID.Position,
				Failure: failure.AppendJSON(nil), FailedList: store.Failed,
			})
			if len(acts) == some {
				break
			}
		}
		done, err := f.fail(ctx, acts)
		failed += done
		if err != nil || done == 0 || len(acts) < some {
			f.add("D06", "delayed jobs recorded as failed", failed)
			return err
		}
	}
}

func (f *fixer) fail(ctx context.Context, acts []store.DelayedAct) (done int64, err error) {
	acted, err := f.store.ActOnDelayed(ctx, acts, false, store.Trash{})
	for _, a := range acted {
		if a.Done {
			done++
		}
		err = errors.Join(err, a.Err)
	}
	return done, err
}

// notReadable is the error of a delayed job that is not the JSON of a job.
type notReadable struct{ err error }

func (e notReadable) Error() string { return e.err.Error() }

// ExceptionName returns the class of this error in Ruby.
func (notReadable) ExceptionName() string { return "Resque::Helpers::DecodeException" }

// keys moves the keys of jobs that do not exist to the trash.
func (f *fixer) keys(ctx context.Context) error {
	found, err := f.orphans(ctx)
	if err != nil {
		return err
	}
	for _, fix := range []struct{ code, done string }{
		{"T01", "counters of attempts moved to the trash"},
		{"T02", "records of failed attempts moved to the trash"},
		{"T03", "locks moved to the trash"},
		{"T04", "marks of resque-loner moved to the trash"},
	} {
		if err := f.trash(ctx, fix.code, fix.done, found[fix.code]); err != nil {
			return err
		}
	}
	return nil
}

func (f *fixer) trash(ctx context.Context, code, done string, keys []store.TextKey) error {
	trash := store.Trash{Token: rand.Text() + ":" + store.KeyTrash, Keep: f.opts.Keep}
	if len(keys) == 0 {
		f.add(code, done, 0)
		return nil
	}
	if err := f.store.NoteTrash(ctx, trash, time.Now()); err != nil {
		return err
	}
	var removed int64
	var failed error
	for some := range slices.Chunk(keys, atOnce) {
		n, err := f.store.RemoveKeys(ctx, some, trash)
		removed += n
		if failed = err; err != nil {
			break
		}
	}
	if removed > 0 && trash.Keep > 0 {
		f.add(code, done, removed, trash.Token)
		return failed
	}
	f.add(code, done, removed)
	if failed != nil {
		return failed
	}
	return f.store.ForgetUnused(ctx, trash, removed)
}

// places frees the places of limits that no running job holds.
func (f *fixer) places(ctx context.Context) error {
	var freed int64
	for _, key := range f.census.held {
		n, err := f.store.FreeDeadHeld(ctx, strings.TrimPrefix(key, heldPrefix))
		if freed += int64(n); err != nil {
			return err
		}
	}
	f.add("G01", "places of limits freed", freed)
	return nil
}
