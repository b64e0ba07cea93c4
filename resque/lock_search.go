package resque

import (
	"context"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
)

// lockSearch finds the jobs that have locks. It looks at delayed jobs, then at queues and then
// at workers, in the order in which jobs move.
type lockSearch struct {
	client *Client
	locks  locks
	how    LockListOptions

	wanted map[string]*Lock // by key, with the namespace
	left   int              // of which no job was found

	seen, bytes int64
	more        bool // not all jobs were looked at

	// The classes and the queues of jobs that have none of the locks that the plugins would
	// use. Their locks may have other keys.
	classes, queues map[string]bool
}

func newLockSearch(c *Client, all []Lock, how LockListOptions) *lockSearch {
	s := &lockSearch{client: c, locks: c.locks(), how: how, wanted: map[string]*Lock{}, classes: map[string]bool{}, queues: map[string]bool{}}
	if s.locks.jobs == nil {
		s.locks.jobs = NewMux()
	}
	for i := range all {
		s.wanted[c.store.LockNamed(all[i].Key).Key] = &all[i]
	}
	s.left = len(s.wanted)
	return s
}

// run sets the holders of the locks.
func (s *lockSearch) run(ctx context.Context) error {
	for _, look := range []func(context.Context) error{s.delayed, s.queued, s.running} {
		if err := look(ctx); err != nil {
			return err
		}
	}
	for _, lock := range s.wanted {
		if lock.Holder.State != "" {
			continue
		}
		lock.Holder.State = LockUnknown
		queue, _, _ := strings.Cut(strings.TrimPrefix(lock.Key, "loners:queue:"), ":job:")
		switch {
		case s.more:
			lock.Holder.Why = "not all jobs were looked at"
		case lock.Class != "" && s.classes[lock.Class]:
			lock.Holder.Why = "there are jobs of the class whose locks have other keys, or none"
		case lock.Plugin == "resque-loner" && s.queues[queue]:
			lock.Holder.Why = "there are jobs of the queue whose locks have other keys, or none"
		default:
			lock.Holder.State = LockNoJob
		}
	}
	return nil
}

// goesOn reports whether to look at more jobs that wait.
func (s *lockSearch) goesOn() bool {
	if s.left == 0 {
		return false
	}
	if s.how.Jobs > 0 && s.seen >= s.how.Jobs || s.how.Bytes > 0 && s.bytes >= s.how.Bytes {
		s.more = true
	}
	return !s.more
}

func (s *lockSearch) delayed(ctx context.Context) error {
	for w := newDelayedWalk(s.client.store, DelayedFilter{All: true}); s.goesOn(); {
		part, err := w.part(ctx)
		if len(part) == 0 {
			if damage := w.damage.err(); damage != nil && err != nil {
				s.more = true // of lists that cannot be read
				return nil
			}
			return wrapped(err)
		}
		for _, i := range part {
			queue := parseDelayed(i.second, i.position, i.raw).job.Queue
			s.see(i.raw, LockHolder{State: LockDelayed, Queue: queue, Due: time.Unix(i.second, 0).UTC()})
		}
	}
	return nil
}

func (s *lockSearch) queued(ctx context.Context) error {
	names, err := s.client.store.Queues(ctx)
	if err != nil {
		return wrapped(err)
	}
	const atOnce = 1000
	for _, name := range names {
		for first := int64(0); s.goesOn(); {
			part, _, err := s.client.store.QueuePart(ctx, name, first, atOnce)
			if store.Refused(err) { // it is not a list
				s.more = true
				break
			}
			if err != nil {
				return wrapped(err)
			}
			if len(part) == 0 {
				break
			}
			for _, e := range part {
				s.see(e.Raw, LockHolder{State: LockQueued, Queue: name})
			}
			first += int64(len(part))
		}
	}
	return nil
}

func (s *lockSearch) running(ctx context.Context) error {
	if s.left == 0 {
		return nil
	}
	working, err := s.client.Working(ctx)
	if err != nil {
		return wrapped(err)
	}
	for _, w := range working {
		if w.Damage != nil || w.Job == nil || w.JobSize > int64(len(w.Job.Raw)) {
			s.more = true
			continue
		}
		s.see(w.Job.Raw, LockHolder{State: LockRunning, Queue: w.Job.Queue, Worker: w.ID})
	}
	return nil
}

// see looks whether a job has one of the locks.
func (s *lockSearch) see(payload []byte, holder LockHolder) {
	s.seen++
	s.bytes += int64(len(payload))
	job, policies := s.locks.jobOf(holder.Queue, payload)
	if job == nil {
		return
	}
	runs := holder.State == LockRunning
	var all []store.RubyLock
	if policies.Locking() {
		if all = policies.Locks(job); runs {
			all = append(all, policies.RunLocks(job)...)
		}
	} else {
		var performed []store.RubyLock
		if all, performed = policy.RubyLocks(job); runs {
			all = append(all, performed...)
		}
	}
	found := false
	for _, l := range all {
		lock, ok := s.wanted[l.Key]
		if !ok {
			continue
		}
		found = true
		if lock.Holder.State == "" {
			lock.Holder, lock.Class = holder, job.Class
			s.left--
		}
	}
	if !found && !policies.Locking() {
		s.classes[job.Class], s.queues[holder.Queue] = true, true
	}
}
