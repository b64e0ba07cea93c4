package store

import "slices"

// call gathers the keys and the arguments of one call of a script.
type call struct{ keys, args []any }

// outcome adds an outcome as settle.lua reads it, but for the counters that the
// script adds to for all outcomes at once.
func (c *call) outcome(o Outcome, shared ...any) {
	effects := 0
	for _, e := range o.Effects {
		if !e.counter {
			effects++
		}
	}
	c.args = append(c.args, o.Guard, effects)
	for _, e := range o.Effects {
		if !e.counter {
			c.keys = append(c.keys, e.key)
			c.args = append(c.args, e.command, len(e.args))
			c.args = append(c.args, e.args...)
		}
	}
	c.args = append(c.args, c.counters(o, shared))
}

// counters adds the keys of an outcome's counters but for those that are shared.
func (c *call) counters(o Outcome, shared []any) (n int) {
	for _, e := range o.Effects {
		if e.counter && !slices.Contains(shared, e.key) {
			c.keys = append(c.keys, e.key)
			n++
		}
	}
	return n
}

// shared are the counters that all outcomes add one to.
func shared(outcomes []Outcome) []any {
	var keys []any
	if len(outcomes) == 0 {
		return nil
	}
	for _, e := range outcomes[0].Effects {
		if e.counter && !slices.ContainsFunc(outcomes[1:], func(o Outcome) bool { return !o.counts(e.key) }) {
			keys = append(keys, e.key)
		}
	}
	return keys
}

func (o Outcome) counts(key any) bool {
	return slices.ContainsFunc(o.Effects, func(e Effect) bool { return e.counter && e.key == key })
}

// words are the call's as redigo takes them: how many keys, the keys, the rest.
func (c *call) words() []any {
	words := make([]any, 0, 1+len(c.keys)+len(c.args))
	words = append(words, len(c.keys))
	words = append(words, c.keys...)
	return append(words, c.args...)
}
