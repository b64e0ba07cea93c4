package unique

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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
		l.queued.Key = job.Store.ResqueLock(job.Class, rubyjson.AppendInspected(nil, args))
		l.queued.Seconds++
	case LockTimeout, LockTimeoutLoner:
		performed, queued := job.Store.LockTimeout(job.Class, rubyjson.AppendJoined(nil, args, "-"))
		l.performed = until
		l.performed.Key = performed
		if e.Style == LockTimeoutLoner {
			l.queued = until
			l.queued.Key = queued
		}
	case Loner:
		text, err := lonerJSON(job.Class, args)
		if err != nil {
			return l, err
		}
		l.queued = store.RubyLock{TTL: e.For, Key: job.Store.Loner(job.Queue, text), Text: "1"}
	case Uniqueness, UniquenessWhile:
		return e.uniqueness(job, args)
	}
	return l, nil
}

// lonerJSON returns the text whose digest is in the plugin's key.
//
// Ruby: Resque::Plugins::Loner::UniqueJob#redis_key, which sorts an argument that is a hash
// by calling sort, so that it becomes an array.
func lonerJSON(class string, args []json.RawMessage) ([]byte, error) {
	return describe(class, args, func(dst, arg []byte) ([]byte, error) {
		members, ok := rubyjson.Members(arg)
		if !ok {
			return rubyjson.Respell(dst, arg)
		}
		slices.Reverse(members) // of members with the same name, the last counts
		slices.SortStableFunc(members, func(a, b rubyjson.Member) int { return strings.Compare(a.Name, b.Name) })
		members = slices.CompactFunc(members, func(a, b rubyjson.Member) bool { return a.Name == b.Name })
		var pairs [][]byte
		for _, m := range members {
			pair, err := rubyjson.AppendString([]byte{'['}, m.Name)
			if err == nil {
				pair, err = rubyjson.Respell(append(pair, ','), m.Value(arg))
			}
			if err != nil {
				return dst, err
			}
			pairs = append(pairs, append(pair, ']'))
		}
		dst = append(append(dst, '['), bytes.Join(pairs, []byte{','})...)
		return append(dst, ']'), nil
	})
}

// uniqueness returns the locks of resque-uniqueness.
//
// Ruby: Resque::Plugins::Uniqueness::Base#redis_key.
func (e *end) uniqueness(job *policy.Job, args []json.RawMessage) (l locks, err error) {
	text, err := describe(job.Class, args, rubyjson.Respell)
	if err != nil {
		return l, err
	}
	whole, err := describe(job.Class, job.Args, rubyjson.Respell)
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

// describe returns {"class":…,"args":[…]} with each argument as spell appends it.
func describe(class string, args []json.RawMessage, spell func(dst, arg []byte) ([]byte, error)) ([]byte, error) {
	text, err := rubyjson.AppendString([]byte(`{"class":`), class)
	if err != nil {
		return nil, fmt.Errorf("class %q: %w", class, err)
	}
	text = append(text, `,"args":[`...)
	for i, arg := range args {
		if i > 0 {
			text = append(text, ',')
		}
		if text, err = spell(text, arg); err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return append(text, "]}"...), nil
}
