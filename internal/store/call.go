package store

// call gathers the keys and the arguments of one call of a script.
type call struct{ keys, args []any }

// outcome adds an outcome as settle.lua reads it.
func (c *call) outcome(o Outcome) {
	c.args = append(c.args, o.Guard, len(o.Effects))
	for _, e := range o.Effects {
		c.keys = append(c.keys, e.key)
		c.args = append(c.args, e.command, len(e.args))
		c.args = append(c.args, e.args...)
	}
}

// words are the call's as redigo takes them: how many keys, the keys, the rest.
func (c *call) words() []any {
	words := make([]any, 0, 1+len(c.keys)+len(c.args))
	words = append(words, len(c.keys))
	words = append(words, c.keys...)
	return append(words, c.args...)
}
