package rubyjson

import (
	"bytes"
	"encoding/json"
	"errors"
)

// ErrNotObject is returned for an element that is JSON but not an object.
var ErrNotObject = errors.New("payload is not an object")

// ErrNoClass is returned for an object whose class is missing, empty or not a
// string.
var ErrNoClass = errors.New("payload has no class")

// Payload is an element of a queue, parsed. It has no members other than class
// and args, because a job is passed on as its bytes, not as a Payload.
type Payload struct {
	Class string
	Args  []json.RawMessage // sub-slices of what was parsed
}

// ParsePayload parses an element of a queue. Args alias raw, which must not change
// while they are in use. As in Ruby, names of members are case-sensitive, and the
// last of two members with the same name counts.
//
// If args is missing, null, false or {}, the job has no arguments. Any other value
// that is not an array is the only argument.
//
// The error is a [*SyntaxError], [ErrNotObject] or [ErrNoClass].
func ParsePayload(raw []byte) (Payload, error) { return ParsePayloadWith(nil, raw) }

// ParsePayloadWith is like [ParsePayload], and stores the arguments in room if they fit.
func ParsePayloadWith(room []json.RawMessage, raw []byte) (Payload, error) {
	var (
		s     = scanner{raw: raw}
		p     Payload
		class []byte // the value, not decoded
	)
	s.space()
	if s.peek() != '{' {
		if err := Valid(raw); err != nil {
			return Payload{}, err
		}
		return Payload{}, ErrNotObject
	}
	more, err := s.open('}', 0)
	for more && err == nil {
		if err = s.member(&class, &p.Args, room); err == nil {
			more, err = s.next('}', "',' or '}'")
		}
	}
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return Payload{}, err
	}
	if len(class) < len(`"C"`) || class[0] != '"' {
		return Payload{}, ErrNoClass
	}
	p.Class = stringOf(class)
	return p, nil
}

// member reads a member of the payload and stores its value if it is class or
// args.
func (s *scanner) member(class *[]byte, args *[]json.RawMessage, room []json.RawMessage) *SyntaxError {
	name, err := s.key()
	if err != nil {
		return err
	}
	start := s.pos
	switch {
	case isName(name, "class"):
		err = s.value(1)
		*class = s.raw[start:s.pos]
	case isName(name, "args"):
		*args, err = s.args(room)
	default:
		err = s.value(1)
	}
	return err
}

// args reads the value of args and returns its items, in room if they fit.
//
// Ruby: Resque::Job#perform passes *(args || []), which makes each pair of an
// object an argument. That is never meant, so here an object is one argument. An
// empty object stands for [], because Redis's cjson writes [] so (in node-resque's
// records of running jobs).
func (s *scanner) args(room []json.RawMessage) ([]json.RawMessage, *SyntaxError) {
	if s.peek() != '[' {
		start := s.pos
		err := s.value(1)
		if c := s.raw[start:s.pos]; err != nil || string(c) == "null" || string(c) == "false" || isEmptyObject(c) {
			return nil, err
		}
		return stored(room, s.raw[start:s.pos:s.pos]), nil
	}
	more, err := s.open(']', 1)
	if err != nil || !more {
		return nil, err
	}
	var few [4]json.RawMessage // enough for most jobs
	args := few[:0]            // on the stack: the slice that is returned is allocated once, in its exact size
	for more && err == nil {
		start := s.pos
		if err = s.value(2); err != nil {
			return nil, err
		}
		// The capacity ends with the item, so that an append cannot reach the next.
		args = append(args, s.raw[start:s.pos:s.pos])
		more, err = s.next(']', "',' or ']'")
	}
	if err != nil {
		return nil, err
	}
	return stored(room, args...), nil
}

// stored returns a copy of args, in room if they fit.
func stored(room []json.RawMessage, args ...json.RawMessage) []json.RawMessage {
	if len(args) > cap(room) {
		room = make([]json.RawMessage, len(args))
	}
	room = room[:len(args):len(args)]
	copy(room, args)
	return room
}

// isEmptyObject reports whether value, which is valid JSON, is an object without
// members.
func isEmptyObject(value []byte) bool {
	return value[0] == '{' && len(bytes.TrimSpace(value[1:len(value)-1])) == 0
}

// isName reports whether raw, a JSON string, is name. The usual case, a string
// without escapes, is compared without decoding it.
func isName(raw []byte, name string) bool {
	return string(raw[1:len(raw)-1]) == name ||
		len(raw) > len(`""`)+len(name) && bytes.IndexByte(raw, '\\') > 0 && unquote(raw) == name
}

func stringOf(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	return unquote(raw)
}
