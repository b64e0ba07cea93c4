package scheduler

import (
	"container/heap"
	"context"
	"errors"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// What one turn of the recurring duty does at most, so that the lock is renewed.
const (
	fireEntries = 500
	fireTime    = 50 * time.Millisecond
)

// firing is what the duty needs of the store.
type firing interface {
	ReadSchedules(ctx context.Context) (store.Schedules, error)
	InitSlots(ctx context.Context, slots map[string]time.Time) (map[string]time.Time, error)
	TakeScheduleChanges(ctx context.Context, m store.Master) ([]store.ChangedSchedule, error)
	PublishSchedules(ctx context.Context, m store.Master, all bool, entries []store.PublishedSchedule) error
	Fire(ctx context.Context, m store.Master, at string, firings []store.Firing) ([]store.Fired, error)
}

// recurring is the duty that fires recurring entries. It keeps their next times in a heap.
type recurring struct {
	store  firing
	client *resque.Client
	cfg    Config

	entries map[string]*item
	due     dueHeap
	loaded  bool      // entries are those of Config and Redis
	checked time.Time // when it last looked for changes

	// The mistakes and the warnings that were logged, by the entry's name.
	logged, warned map[string]string
}

// item is an entry of the master.
type item struct {
	times
	entry   Entry
	static  bool // from Config.Entries
	hooked  bool // the payload is made each time, because a hook may change it
	renewed bool // the same, because each job of the class has an id
	queue   string
	payload []byte
	effects []store.Effect // what the policies of its class write in the same step
	err     error          // why it does not run

	slot  time.Time // the last time at which it fired
	next  time.Time
	index int // in the heap, -1 if it is not there
}

func newRecurring(store firing, client *resque.Client, cfg Config) *recurring {
	return &recurring{store: store, client: client, cfg: cfg, logged: map[string]string{}, warned: map[string]string{}}
}

// perform fires what is due, after it has read what has changed.
//
// Ruby: Resque::Scheduler.update_schedule, enqueue_recurring.
func (r *recurring) perform(ctx context.Context, t turn) (next time.Time, err error) {
	switch {
	case t.began || !r.loaded:
		err = r.load(ctx, t)
	case r.cfg.Dynamic && !t.now.Before(r.checked.Add(r.cfg.Interval)):
		err = r.update(ctx, t)
	}
	if err != nil {
		r.loaded = false // changes may be lost
		return time.Time{}, err
	}
	if err := r.fireDue(ctx, t); err != nil {
		return time.Time{}, err
	}
	switch {
	case !r.loaded:
		return t.now, nil
	case len(r.due) == 0:
		return time.Time{}, nil
	default:
		return r.due[0].next, nil
	}
}

// fireDue fires the first entries that are due.
func (r *recurring) fireDue(ctx context.Context, t turn) error {
	began := time.Now()
	var batch []*item
	var firings []store.Firing
	for len(r.due) > 0 && !r.due[0].next.After(t.now) && len(batch) < fireEntries {
		it := r.due[0]
		at := it.latest(it.slot, t.now, r.grace())
		switch {
		case at.IsZero(): // missed for too long
			r.plan(it, t.now)
		case it.hooked:
			if err := r.fireHooked(ctx, t, it, at); err != nil {
				return err
			}
			if time.Since(began) > fireTime {
				return r.fire(ctx, t, batch, firings)
			}
		default:
			if it.renewed {
				if err := r.makePayload(ctx, it); err != nil {
					return err
				}
			}
			heap.Remove(&r.due, it.index) // until it is known what became of it
			batch = append(batch, it)
			firings = append(firings, store.Firing{Name: it.entry.Name, Time: at, Queue: it.queue, Payload: it.payload, Effects: it.effects})
		}
	}
	return r.fire(ctx, t, batch, firings)
}

func (r *recurring) grace() time.Duration {
	if r.cfg.Grace < 0 {
		return time.Minute
	}
	return r.cfg.Grace
}

// fire fires entries in one step, and puts them back into the heap.
func (r *recurring) fire(ctx context.Context, t turn, batch []*item, firings []store.Firing) error {
	if len(batch) == 0 {
		return nil
	}
	fired, err := r.store.Fire(ctx, t.master, r.stamp(t), firings)
	for i, it := range batch {
		if err != nil {
			heap.Push(&r.due, it) // again: what has fired does not fire twice
			continue
		}
		r.note(it, firings[i].Time, fired[i])
	}
	return err
}

// stamp is what delayed:last_enqueued_at says about jobs that are enqueued now.
func (r *recurring) stamp(t turn) string { return wire.FormatStarted(t.now.In(r.cfg.Location)) }

// fireHooked fires an entry inside its hooks. If they do not enqueue it, its time is used
// up.
func (r *recurring) fireHooked(ctx context.Context, t turn, it *item, at time.Time) error {
	var fired []store.Fired
	var failed error
	push := func(ctx context.Context, queue string, payload []byte) error {
		f := store.Firing{Name: it.entry.Name, Time: at, Queue: queue, Payload: payload}
		if queue != "" {
			var err error
			if f.Effects, err = r.client.PushEffects(it.entry.Job.To(queue), payload); err != nil {
				return err
			}
		}
		if fired, failed = r.store.Fire(ctx, t.master, r.stamp(t), []store.Firing{f}); failed == nil && fired[0] == store.FiredHeld {
			return errHeld // no AfterEnqueue hook is called
		}
		return failed
	}
	job, _ := r.client.Renewed(it.entry.Job)
	receipt, err := r.client.EnqueueWith(ctx, job, push)
	if failed != nil {
		return failed
	}
	switch {
	case errors.Is(err, errHeld): // note logs it
	case err != nil:
		r.cfg.Logger.Error("a hook of a recurring job failed", "schedule", it.entry.Name, "class", it.entry.Job.Class, "err", err)
	case fired == nil:
		r.cfg.Logger.Info("recurring job was not queued", "schedule", it.entry.Name, "class", it.entry.Job.Class, "state", receipt.State)
	}
	if fired == nil {
		if err := push(ctx, "", nil); err != nil {
			return err
		}
	}
	heap.Remove(&r.due, it.index)
	r.note(it, at, fired[0])
	return nil
}

// errHeld means that another job holds the lock of a recurring job.
var errHeld = errors.New("an equal job is there")

// note plans the next time of an entry that is not in the heap.
func (r *recurring) note(it *item, at time.Time, fired store.Fired) {
	job := []any{"schedule", it.entry.Name, "class", it.entry.Job.Class, "scheduled", at}
	switch fired {
	case store.FiredJob:
		r.cfg.Logger.Info("recurring job queued", append(job, "queue", it.queue)...)
	case store.FiredHeld:
		r.cfg.Logger.Info("recurring job not queued, because an equal job is there", append(job, "queue", it.queue)...)
	case store.FiredError:
		r.cfg.Logger.Error("recurring job cannot be queued: the key of its queue or of its lock has another type", append(job, "queue", it.queue)...)
	case store.FiredNoSlot: // it was removed, or Redis lost its data
		r.loaded = false
		return
	case store.FiredOff, store.FiredBefore, store.FiredNoJob:
		r.cfg.Logger.Debug("recurring job is not due", append(job, "reason", fired)...)
	}
	it.slot = at
	it.next = it.after(at)
	if !it.next.IsZero() {
		heap.Push(&r.due, it)
	}
}

// plan sets the next time of an entry, which may be a time that was missed.
func (r *recurring) plan(it *item, now time.Time) {
	it.next = it.after(it.slot)
	if !it.next.After(now) {
		missed := it.latest(it.slot, now, r.grace())
		if it.next = missed; missed.IsZero() {
			it.skip(now)
		}
	}
	switch {
	case it.next.IsZero() && it.index >= 0:
		heap.Remove(&r.due, it.index)
	case it.next.IsZero():
	case it.index >= 0:
		heap.Fix(&r.due, it.index)
	default:
		heap.Push(&r.due, it)
	}
}

// skip leaves out all times until now.
func (it *item) skip(now time.Time) {
	if it.cron == nil {
		if missed := now.Sub(it.slot) / it.every; missed > 0 {
			it.slot = it.slot.Add(missed * it.every)
		}
	} else if now.After(it.slot) {
		it.slot = now
	}
	it.next = it.after(it.slot)
}

// dueHeap has the entry with the first next time at its top.
type dueHeap []*item

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].next.Before(h[j].next) }

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *dueHeap) Push(x any) {
	it, ok := x.(*item)
	if !ok {
		return
	}
	it.index = len(*h)
	*h = append(*h, it)
}

func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	it.index = -1
	(*h)[last] = nil
	*h = (*h)[:last]
	return it
}
