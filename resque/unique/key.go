package unique

import (
	"encoding/json"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
)

// locks are the locks of a job. One without a key does not exist.
type locks struct {
	queued    store.RubyLock // taken by the push
	performed store.RubyLock // taken when the job begins
}

// locks returns the locks of a job.
func (e *end) locks(job *policy.Job) (l locks, err error) {
	if l, err = e.styled(job); l.queued.Key != "" && job.Token != "" && e.freesAtBegin() {
		l.queued.Begun = job.Store.Begun(job.Token)
	}
	return l, err
}

// styled returns the locks of the policy's style.
func (e *end) styled(job *policy.Job) (l locks, err error) {
	args, err := e.selected(job.Args)
	if err != nil {
		return l, err
	}
	until := store.RubyLock{TTL: e.For, Time: true, Seconds: int64(e.For / time.Second)}
	switch e.Style {
	case ResqueLock:
		l.queued = until
		l.queued.Key = job.Store.ResqueLock(job.Class, args)
		l.queued.Seconds++
	case LockTimeout, LockTimeoutLoner:
		performed, queued := job.Store.LockTimeout(job.Class, args)
		l.performed = until
		l.performed.Key = performed
		if e.Style == LockTimeoutLoner {
			l.queued = until
			l.queued.Key = queued
		}
	case Loner:
		text, err := policy.LonerText(job.Class, args)
		if err != nil {
			return l, err
		}
		l.queued = store.RubyLock{TTL: e.For, Key: job.Store.Loner(job.Queue, text), Text: "1"}
	case Uniqueness, UniquenessWhile:
		return e.uniqueness(job, args)
	}
	return l, nil
}

// uniqueness returns the locks of resque-uniqueness.
//
// Ruby: Resque::Plugins::Uniqueness::Base#redis_key.
func (e *end) uniqueness(job *policy.Job, args []json.RawMessage) (l locks, err error) {
	text, err := policy.JobText(job.Class, args)
	if err != nil {
		return l, err
	}
	whole, err := policy.JobText(job.Class, job.Args)
	if err == nil {
		whole, err = rubyjson.AppendString(append(whole[:len(whole)-1], `,"queue":`...), job.Queue)
	}
	if err != nil {
		return l, err
	}
	lock := func(state string) (l store.RubyLock) {
		l.Text, l.TTL = string(whole)+"}", e.For
		l.Key, l.Index, l.Member = job.Store.Uniqueness(state, text)
		return l
	}
	if e.Style == Uniqueness {
		l.queued = lock(store.Queueing)
	}
	if e.Style == UniquenessWhile || e.Until == Done {
		l.performed = lock(store.Performing)
	}
	return l, nil
}
