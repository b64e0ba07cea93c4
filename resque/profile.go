package resque

import (
	"fmt"

	"github.com/goresque/goresque/internal/rubyjson"
)

// JSONProfile is the spelling of the JSON that a client writes. Ruby and Go programs
// read all profiles. However, Ruby's dequeue, remove_delayed and locks compare bytes and
// find only jobs in their spelling. Choose the profile of the Ruby programs that share
// the queues.
type JSONProfile uint8

// Profiles. docs/wire.md lists their differences.
const (
	// JSONPlain is the profile of Ruby without Rails and with the json gem up to 2.10.
	JSONPlain JSONProfile = iota

	// JSONRails is the profile of Rails 6.1 to 8.1 with the json gem up to 2.10.
	// ActiveSupport escapes <, >, & and U+2028, writes times with milliseconds, and
	// writes NaN and infinities as null.
	JSONRails

	// JSONPlain215 is the profile of Ruby without Rails and with the json gem from
	// 2.15 on, which writes large and small floats differently.
	JSONPlain215

	// JSONRails215 is the profile of Rails with the json gem from 2.15 on.
	JSONRails215
)

// String returns the name of the profile, such as "rails".
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

// AppendPayload appends the payload of j to dst, as a client with the profile p writes
// it, and returns the extended slice. If it fails, it returns dst unchanged and an error.
//
// Ruby: Resque.encode.
func (p JSONProfile) AppendPayload(dst []byte, j Job) ([]byte, error) {
	spell, err := p.spelling()
	if err != nil {
		return dst, err
	}
	b, err := appendJob(dst, spell, j)
	if err != nil {
		return dst, err
	}
	if b, err = appendMembers(b, spell, j); err != nil {
		return dst, err
	}
	return append(b, '}'), nil
}

// appendJob appends the class and the arguments of a job, which begin its payload.
func appendJob(dst []byte, spell rubyjson.Profile, j Job) ([]byte, error) {
	if j.Class == "" {
		return dst, ErrNoClass
	}
	b, err := spell.AppendString(append(dst, `{"class":`...), j.Class)
	if err != nil {
		return dst, fmt.Errorf("resque: class %q: %w", j.Class, err)
	}
	if b, err = spell.AppendArgs(append(b, `,"args":`...), j.Args); err != nil {
		return dst, argumentError(j.Class, err)
	}
	return b, nil
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
		return 0, fmt.Errorf("resque: unknown JSON profile: %v", p)
	}
}

// appendPayload appends the payload of j in the client's profile. All payloads that c
// enqueues or compares are made here.
func (c *Client) appendPayload(dst []byte, j Job) ([]byte, error) {
	return c.cfg.JSON.AppendPayload(dst, j)
}

// RubyInspect is the version of Ruby whose inspect writes hashes in keys. The plugins
// resque-lock, resque-lock-timeout and resque-retry write the arguments of a job into the
// keys of its locks and its counted attempts. Ruby 3.4 has changed how a hash is written. It
// matters only for jobs that have a hash among their arguments. Ruby programs of both versions
// that share such a class do not see each other's locks; Go follows one of them.
type RubyInspect uint8

// The values of RubyInspect.
const (
	RubyInspect33 RubyInspect = iota // Ruby 3.3 and older: {"a"=>1}
	RubyInspect34                    // Ruby 3.4 and newer: {"a" => 1}
)

// String returns the version, such as "3.4".
func (v RubyInspect) String() string {
	switch v {
	case RubyInspect33:
		return "3.3"
	case RubyInspect34:
		return "3.4"
	}
	return fmt.Sprintf("RubyInspect(%d)", uint8(v))
}
