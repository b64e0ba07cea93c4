package store

import "slices"

// call collects the keys and the arguments of one call of a script.
type call struct{ keys, args []any }

// outcome adds an outcome as outcome.lua reads it, without its shared counters: the
// script increases those once for all outcomes.
func (c *call) outcome(o Outcome, shared ...any) {
	effects := len(o.Expect)
	for _, e := range o.Effects {
		if !e.counter {
			effects++
		}
	}
	c.args = append(c.args, o.Guard, effects)
	for _, e := range o.Expect {
		c.keys = append(c.keys, e.Key)
		if e.member != nil {
			c.keys = append(c.keys, e.member.keys...)
			c.args = append(c.args, "BATCH", 1+len(e.member.args), len(e.member.keys))
			c.args = append(c.args, e.member.args...)
			continue
		}
		c.args = append(c.args, "EXPECT", 1, e.Value)
	}
	for _, e := range o.Effects {
		if !e.counter {
			c.keys = append(append(c.keys, e.key), e.more...)
			c.args = append(c.args, e.command, len(e.args))
			c.args = append(c.args, e.args...)
		}
	}
	c.args = append(c.args, c.counters(o, shared))
}

// counters adds the keys of the counters of an outcome that are not shared, and
// returns how many there are.
func (c *call) counters(o Outcome, shared []any) (n int) {
	for _, e := range o.Effects {
		if e.counter && !slices.Contains(shared, e.key) {
			c.keys = append(c.keys, e.key)
			n++
		}
	}
	return n
}

// shared returns the keys of the counters that every outcome increases.
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

// list returns the arguments for redigo: the number of keys, the keys, the rest.
func (c *call) list() []any {
	list := make([]any, 0, 1+len(c.keys)+len(c.args))
	list = append(list, len(c.keys))
	list = append(list, c.keys...)
	return append(list, c.args...)
}
