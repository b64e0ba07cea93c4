package scheduler

import (
	"container/heap"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// publishEntries is how many entries one script shows.
const publishEntries = 500

// load reads all entries.
//
// Ruby: Resque::Scheduler.load_schedule!.
func (r *recurring) load(ctx context.Context, t turn) error {
	if r.cfg.Dynamic {
		if _, err := r.store.TakeScheduleChanges(ctx, t.master); err != nil {
			return err
		}
	}
	all, err := r.store.ReadSchedules(ctx)
	if err != nil {
		return err
	}
	r.entries, r.due = map[string]*item{}, nil
	for _, e := range r.cfg.Entries {
		if _, stored := all.Persistent[e.Name]; !stored {
			r.add(ctx, e, true, nil)
		}
	}
	for name, config := range all.Persistent {
		e, err := parseConfig(name, []byte(config))
		r.add(ctx, e, false, err)
	}
	if err := r.begin(ctx, t, all.Slots); err != nil {
		return err
	}
	if err := r.publish(ctx, t, true, r.entries); err != nil {
		return err
	}
	r.loaded, r.checked = true, t.now
	r.cfg.Logger.Debug("schedules loaded", "schedules", len(r.entries))
	return nil
}

// update reads the entries that have changed. They begin again, as in Ruby.
func (r *recurring) update(ctx context.Context, t turn) error {
	changes, err := r.store.TakeScheduleChanges(ctx, t.master)
	if err != nil {
		return err
	}
	r.checked = t.now
	if len(changes) == 0 {
		return nil
	}
	changed := map[string]*item{}
	again := map[string]time.Time{} // times that these missed with their old configuration do not count
	for _, c := range changes {
		before := r.entries[c.Name]
		it := r.change(ctx, c)
		if it == before {
			continue
		}
		r.drop(before)
		delete(r.entries, c.Name)
		changed[c.Name] = it
		if it != nil {
			r.entries[c.Name] = it
			if before != nil && it.runs() {
				again[c.Name] = t.now
			}
		}
		r.cfg.Logger.Info("schedule changed", "schedule", c.Name, "removed", it == nil)
	}
	if len(again) > 0 {
		if _, err := r.store.InitSlots(ctx, again); err != nil { // Remove deletes the slot
			return err
		}
	}
	if err := r.beginItems(ctx, t, changed, again); err != nil {
		return err
	}
	return r.publish(ctx, t, false, changed)
}

// change returns the item of a changed entry: the one that runs if it is the same, nil if
// there is none any more.
func (r *recurring) change(ctx context.Context, c store.ChangedSchedule) *item {
	before := r.entries[c.Name]
	if c.Config == "" {
		for _, e := range r.cfg.Entries {
			if e.Name == c.Name {
				if before != nil && before.static {
					return before
				}
				return r.newItem(ctx, e, true, nil)
			}
		}
		return nil
	}
	e, err := parseConfig(c.Name, []byte(c.Config))
	it := r.newItem(ctx, e, false, err)
	if it != nil && before != nil && !before.static && before.same(it) {
		return before
	}
	return it
}

// same reports whether two items of an entry have the same configuration.
func (it *item) same(other *item) bool {
	if it.err != nil || other.err != nil {
		return false
	}
	a, errA := it.entry.config()
	b, errB := other.entry.config()
	return errors.Join(errA, errB) == nil && string(a) == string(b)
}

// drop removes an item from the heap.
func (r *recurring) drop(it *item) {
	if it != nil && it.index >= 0 {
		heap.Remove(&r.due, it.index)
	}
}

// add adds an entry, unless it is for another environment.
func (r *recurring) add(ctx context.Context, e Entry, static bool, err error) {
	if it := r.newItem(ctx, e, static, err); it != nil {
		r.entries[e.Name] = it
	}
}

// newItem prepares an entry. It returns nil if the entry is for another environment. If
// the entry cannot run, it logs the reason once.
func (r *recurring) newItem(ctx context.Context, e Entry, static bool, err error) *item {
	if err == nil && !e.runsIn(r.cfg.Env) {
		r.cfg.Logger.Debug("schedule is for another environment", "schedule", e.Name, "env", e.Env)
		return nil
	}
	it := &item{entry: e, static: static, err: err, index: -1}
	if err == nil {
		it.err = r.prepare(ctx, it)
	}
	if it.err == nil {
		delete(r.logged, e.Name)
		return it
	}
	if text := it.err.Error(); r.logged[e.Name] != text {
		r.logged[e.Name] = text
		r.cfg.Logger.Error("schedule cannot run", "schedule", e.Name, "err", it.err)
	}
	return it
}

// prepare sets the times and the payload of an item.
func (r *recurring) prepare(ctx context.Context, it *item) (err error) {
	if it.times, _, err = timesOf(it.entry, r.cfg.Location, r.cfg.MondayWeeks); err != nil {
		return err
	}
	if it.entry.Job, err = it.entry.job(r.cfg.Mux); err != nil {
		return err
	}
	if mux := r.cfg.Mux; mux != nil { // the entry may come from Redis
		policies := resque.PoliciesOf(mux, it.entry.Job.Class)
		if _, renews := policies.Renewer(); renews || policies.Locking() {
			it.entry.Job = r.client.WithJobs(mux).WithPolicies(it.entry.Job)
		}
	}
	it.hooked = r.client.Hooked(it.entry.Job)
	it.queue = it.entry.Job.Queue
	_, it.renewed = r.client.Renewed(it.entry.Job)
	if it.hooked {
		return nil
	}
	return r.makePayload(ctx, it)
}

// makePayload makes the payload of an item, and what the policies of its class write with it.
func (r *recurring) makePayload(ctx context.Context, it *item) error {
	job, _ := r.client.Renewed(it.entry.Job)
	_, err := r.client.EnqueueWith(ctx, job, func(_ context.Context, _ string, payload []byte) (err error) {
		it.payload = payload
		it.effects, err = r.client.PushEffects(job, payload)
		return err
	})
	return err
}

// begin plans the entries that were read.
func (r *recurring) begin(ctx context.Context, t turn, slots map[string]time.Time) error {
	if t.began && r.cfg.Grace < 0 {
		for name, slot := range slots {
			if it := r.entries[name]; it != nil && it.runs() {
				it.slot = slot
				it.skip(t.now)
				slots[name] = it.slot
			}
		}
	}
	return r.beginItems(ctx, t, r.entries, slots)
}

// runs reports whether an item has times.
func (it *item) runs() bool { return it.err == nil && (it.cron != nil || it.every > 0) }

// beginItems plans items. Those without a slot are new.
func (r *recurring) beginItems(ctx context.Context, t turn, items map[string]*item, slots map[string]time.Time) error {
	missing := map[string]time.Time{}
	for name, it := range items {
		if it == nil || !it.runs() {
			continue
		}
		if _, ok := slots[name]; !ok {
			missing[name] = it.first(t.now)
		}
		r.warn(it, t.now)
	}
	if len(missing) > 0 {
		found, err := r.store.InitSlots(ctx, missing)
		if err != nil {
			return err
		}
		for name := range missing {
			slots[name] = found[name]
		}
	}
	for name, it := range items {
		if it != nil && it.runs() {
			it.slot = slots[name]
			r.plan(it, t.now)
		}
	}
	return nil
}

// warn logs once if versions of fugit give an entry different times.
func (r *recurring) warn(it *item, now time.Time) {
	if it.cron == nil || !it.cron.HasWeeks() {
		return
	}
	other := *it.cron
	other.MondayWeeks = !other.MondayWeeks
	next, _ := it.cron.Next(now.In(it.zone))
	differs, _ := other.Next(now.In(it.zone))
	text := fmt.Sprint(it.cron, other.MondayWeeks)
	if next.Equal(differs) || r.warned[it.entry.Name] == text {
		return
	}
	r.warned[it.entry.Name] = text
	r.cfg.Logger.Warn("versions of fugit begin weeks on different days", "schedule", it.entry.Name, "cron", it.cron,
		"next", next, "other", differs, "monday_weeks", it.cron.MondayWeeks)
}

// published is what viewers know about an entry.
type published struct {
	Config      json.RawMessage `json:"config,omitempty"`
	Static      bool            `json:"static,omitempty"`
	Zone        string          `json:"zone,omitempty"`
	MondayWeeks bool            `json:"monday_weeks,omitempty"`
	Error       string          `json:"error,omitempty"`
}

// publish shows items to viewers.
func (r *recurring) publish(ctx context.Context, t turn, all bool, items map[string]*item) error {
	var part []store.PublishedSchedule
	send := func() error {
		err := r.store.PublishSchedules(ctx, t.master, all, part)
		all, part = false, part[:0]
		return err
	}
	for name, it := range items {
		about := ""
		if it != nil {
			text, err := r.about(it)
			if err != nil {
				return err
			}
			about = string(text)
		}
		if part = append(part, store.PublishedSchedule{Name: name, About: about}); len(part) == publishEntries {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if len(part) > 0 || all {
		return send()
	}
	return nil
}

func (r *recurring) about(it *item) ([]byte, error) {
	p := published{Static: it.static, Zone: r.cfg.Location.String(), MondayWeeks: r.cfg.MondayWeeks}
	if it.err != nil {
		p.Error = it.err.Error()
	}
	if it.static {
		p.Config, _ = it.entry.config() // a job with more members cannot be shown
	}
	return rubyjson.Append(nil, p)
}
