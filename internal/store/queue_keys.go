package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goresque/goresque/internal/rubyjson"
)

// queueKeys has the keys of the queues that an exchange takes jobs from, as its
// script needs them. It is kept while the queues stay the same, because there may be
// thousands.
type queueKeys struct {
	given  []string // the caller's queues
	queues []string // those whose names can be written as JSON, each once
	names  []string // the names of queues as JSON
	prefix int      // the length of the keys' prefix before the name; 0 if a name is escaped in JSON
	keys   []any    // of the lists, then of the pauses, and of the limits of queues
	fault  error    // why a queue is missing in queues
}

// queueKeys returns the keys of queues.
func (s *Store) queueKeys(queues []string) *queueKeys {
	if len(queues) == 0 {
		return &queueKeys{keys: []any{s.keys.limits()}}
	}
	if l := s.lastQueues.Load(); l != nil && slices.Equal(l.given, queues) {
		return l
	}
	l := &queueKeys{given: slices.Clone(queues)}
	l.encodeNames(queues)
	for _, q := range l.queues {
		l.keys = append(l.keys, s.keys.queue(q))
	}
	for _, q := range l.queues {
		l.keys = append(l.keys, s.keys.pauseQueue(q))
	}
	l.keys = append(l.keys, s.keys.limits())
	if !slices.ContainsFunc(l.queues, isEscaped) {
		l.prefix = len(s.keys.queue(""))
	}
	s.lastQueues.Store(l)
	return l
}

// isEscaped reports whether a name may be written in JSON with more than quotes
// around it.
func isEscaped(name string) bool {
	return strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r > '~' })
}

// encodeNames writes the names as JSON. A queue whose name is not valid UTF-8 cannot
// be in a record: it is skipped, so that it does not keep the others from being read. A
// queue that is named again is skipped also: the scripts apply a limit to one of the lists
// in a call.
func (l *queueKeys) encodeNames(queues []string) {
	seen := make(map[string]bool, len(queues))
	for _, q := range queues {
		if seen[q] {
			continue
		}
		seen[q] = true
		name, err := rubyjson.AppendString(nil, q)
		if err != nil {
			l.fault = fmt.Errorf("queue %q: %w", q, err)
			continue
		}
		l.queues = append(l.queues, q)
		l.names = append(l.names, string(name))
	}
}
