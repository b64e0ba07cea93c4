package resque

import (
	"fmt"

	"github.com/goresque/goresque/internal/rubyjson"
)

// JSONProfile is whose JSON a client writes. Every Ruby and every goresque
// reads them all, but what compares bytes (Ruby's dequeue, remove_delayed,
// locks) finds only jobs in its own spelling: choose that of the Ruby programs
// that share the queues.
type JSONProfile uint8

// The profiles. See docs/wire.md for what each spells differently.
const (
	// JSONPlain is Ruby without Rails, with the json gem up to 2.10.
	JSONPlain JSONProfile = iota

	// JSONRails is the same in a Rails app, 6.1 to 8.1: ActiveSupport writes
	// <, >, & and U+2028 as escapes, times to the millisecond, and null for NaN
	// and the infinities.
	JSONRails

	// JSONPlain215 is Ruby without Rails, with the json gem from 2.15 on, which
	// spells large and small floats in another way.
	JSONPlain215

	// JSONRails215 is a Rails app with the json gem from 2.15 on.
	JSONRails215
)

// String is the name of the profile.
func (p JSONProfile) String() string {
	switch p {
	case JSONPlain:
		return "plain"
	case JSONRails:
		return "rails"
	case JSONPlain215:
		return "plain-2.15"
	case JSONRails215:
		return "rails-2.15"
	default:
		return fmt.Sprintf("JSONProfile(%d)", uint8(p))
	}
}

// AppendPayload appends to dst what stands in the queue for j where p is the
// client's profile. On an error it returns dst as it was.
//
// Ruby: Resque.encode.
func (p JSONProfile) AppendPayload(dst []byte, j Job) ([]byte, error) {
	if j.Class == "" {
		return dst, ErrNoClass
	}
	spell, err := p.spelling()
	if err != nil {
		return dst, err
	}
	b, err := spell.AppendString(append(dst, `{"class":`...), j.Class)
	if err != nil {
		return dst, fmt.Errorf("resque: class %q: %w", j.Class, err)
	}
	b = append(b, `,"args":`...)
	if b, err = spell.AppendArgs(b, j.Args); err != nil {
		return dst, argumentError(j.Class, err)
	}
	if b, err = appendMembers(b, spell, j); err != nil {
		return dst, err
	}
	return append(b, '}'), nil
}

func (p JSONProfile) spelling() (rubyjson.Profile, error) {
	switch p {
	case JSONPlain:
		return rubyjson.Plain, nil
	case JSONRails:
		return rubyjson.Rails, nil
	case JSONPlain215:
		return rubyjson.Plain215, nil
	case JSONRails215:
		return rubyjson.Rails215, nil
	default:
		return 0, fmt.Errorf("resque: no such profile: %v", p)
	}
}

// appendPayload is where every job that c enqueues, or looks for, is spelled.
func (c *Client) appendPayload(dst []byte, j Job) ([]byte, error) {
	return c.cfg.JSON.AppendPayload(dst, j)
}
