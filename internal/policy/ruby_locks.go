package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
)

// RubyLocks returns the locks that a job of a class with one of Ruby's plugins may have
// while it waits, and those that it may have only while it is performed. The class may have
// none of the plugins, or make the keys of its locks in another way.
func RubyLocks(job *Job) (queued, performed []store.RubyLock) {
	add := func(to *[]store.RubyLock, l store.RubyLock) { *to = append(*to, l) }
	add(&queued, store.RubyLock{Key: job.Store.ResqueLock(job.Class, job.Args)})
	run, loner := job.Store.LockTimeout(job.Class, job.Args)
	add(&queued, store.RubyLock{Key: loner})
	add(&performed, store.RubyLock{Key: run})
	if text, err := LonerText(job.Class, job.Args); err == nil {
		add(&queued, store.RubyLock{Key: job.Store.Loner(job.Queue, text)})
	}
	if text, err := JobText(job.Class, job.Args); err == nil {
		var l store.RubyLock
		l.Key, l.Index, l.Member = job.Store.Uniqueness(store.Queueing, text)
		add(&queued, l)
		l.Key, l.Index, l.Member = job.Store.Uniqueness(store.Performing, text)
		add(&performed, l)
	}
	return queued, performed
}

// LonerText returns the text whose digest is in the key of a lock of resque-loner.
//
// Ruby: Resque::Plugins::Loner::UniqueJob#redis_key, which sorts an argument that is a hash
// by calling sort, so that it becomes an array.
func LonerText(class string, args []json.RawMessage) ([]byte, error) {
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

// JobText returns {"class":…,"args":[…]}, which is in the keys of resque-uniqueness.
//
// Ruby: Resque::Plugins::Uniqueness::Base#redis_key.
func JobText(class string, args []json.RawMessage) ([]byte, error) {
	return describe(class, args, rubyjson.Respell)
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
