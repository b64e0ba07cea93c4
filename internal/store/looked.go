package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goresque/goresque/internal/rubyjson"
)

// looked is where an exchange looks for jobs, as its script takes it. It is made
// once for as long as the queues are the same: there may be thousands.
type looked struct {
	given  []string // the caller's
	queues []string // those whose names can be spelled as JSON
	names  []string // spelled so
	prefix int      // how the script cuts the names out of the keys; 0 where it cannot
	keys   []any    // the lists, and then the pauses
	fault  error
}

// look is where to look for jobs of queues.
func (s *Store) look(queues []string) *looked {
	if len(queues) == 0 {
		return &looked{}
	}
	if l := s.looked.Load(); l != nil && slices.Equal(l.given, queues) {
		return l
	}
	l := &looked{given: slices.Clone(queues)}
	l.name(queues)
	for _, q := range l.queues {
		l.keys = append(l.keys, s.keys.queue(q))
	}
	for _, q := range l.queues {
		l.keys = append(l.keys, s.keys.pauseQueue(q))
	}
	if !slices.ContainsFunc(l.queues, spelledOtherwise) {
		l.prefix = len(s.keys.queue(""))
	}
	s.looked.Store(l)
	return l
}

// spelledOtherwise tells whether JSON spells a name by more than quotes around it.
func spelledOtherwise(name string) bool {
	return strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r > '~' })
}

// name spells the queues' names. A queue whose name no record can hold is left
// alone: anybody can make one, and it must not keep the others from being read.
func (l *looked) name(queues []string) {
	for _, q := range queues {
		name, err := rubyjson.AppendString(nil, q)
		if err != nil {
			l.fault = fmt.Errorf("queue %q: %w", q, err)
			continue
		}
		l.queues = append(l.queues, q)
		l.names = append(l.names, string(name))
	}
}
