package rubyjson

import (
	"bytes"
	"encoding/json"
	"errors"
)

// ErrNotObject reports an element that is JSON, but not an object.
var ErrNotObject = errors.New("payload is not an object")

// ErrNoClass reports an object whose class is missing, empty or not a string.
var ErrNoClass = errors.New("payload has no class")

// Payload is what an element of a queue says. Members other than class and args
// are not here: whoever passes a job on passes its bytes on.
type Payload struct {
	Class string
	Args  []json.RawMessage // sub-slices of what was parsed
}

// ParsePayload reads a queue's element. Args alias raw, which must not change
// while they are in use. Names are exact, and the last of two members with one
// name counts, as in Ruby.
//
// Args that are missing, null, false or {} are none. Other args that are no array
// are one argument.
//
// The error is a [*SyntaxError], [ErrNotObject] or [ErrNoClass].
func ParsePayload(raw []byte) (Payload, error) {
	var (
		s     = scanner{raw: raw}
		p     Payload
		class []byte // as it stands in raw
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
		if err = s.member(&class, &p.Args); err == nil {
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

// member steps over a member of the payload and notes the two that matter.
func (s *scanner) member(class *[]byte, args *[]json.RawMessage) *SyntaxError {
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
		*args, err = s.args()
	default:
		err = s.value(1)
	}
	return err
}

// args steps over the value of args and returns its items.
//
// Ruby: Resque::Job#perform passes *(args || []). For an object that would be an
// argument a pair; nobody means that, so here it is one argument too. An empty
// one is what Redis's cjson makes of [] (node-resque's records of jobs in hand).
func (s *scanner) args() ([]json.RawMessage, *SyntaxError) {
	if s.peek() != '[' {
		start := s.pos
		err := s.value(1)
		if c := s.raw[start:s.pos]; err != nil || string(c) == "null" || string(c) == "false" || isEmptyObject(c) {
			return nil, err
		}
		return []json.RawMessage{s.raw[start:s.pos:s.pos]}, nil
	}
	more, err := s.open(']', 1)
	if err != nil || !more {
		return nil, err
	}
	var few [4]json.RawMessage // as many as most jobs have
	args := few[:0]            // on the stack, so that the slice is made once and to size
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
	sized := make([]json.RawMessage, len(args))
	copy(sized, args)
	return sized, nil
}

// isEmptyObject tells whether a value that was scanned is an object without members.
func isEmptyObject(value []byte) bool {
	return value[0] == '{' && len(bytes.TrimSpace(value[1:len(value)-1])) == 0
}

// isName compares a member's name as it stands in the text. It may be spelled
// with escapes, but hardly ever is.
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
