package rubyjson

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// SyntaxError describes a text that is not valid JSON.
type SyntaxError struct {
	Offset int    // of the byte that is wrong; the length of the text if it ends too early
	Reason string // such as: unexpected '}', want a string
}

func (e *SyntaxError) Error() string {
	return "invalid JSON at byte " + strconv.Itoa(e.Offset) + ": " + e.Reason
}

// Valid returns nil if raw is one JSON value that Ruby's parser reads, else a
// [*SyntaxError]. It does not allocate for a valid text.
func Valid(raw []byte) error {
	if err := validAt(raw, 0); err != nil {
		return err
	}
	return nil
}

// ValidBelow is [Valid] for a value that is inside depth arrays and objects.
func ValidBelow(raw []byte, depth int) error {
	if err := validAt(raw, depth); err != nil {
		return err
	}
	return nil
}

// validAt is Valid for a value that will be inside depth arrays and objects.
func validAt(raw []byte, depth int) *SyntaxError {
	s := scanner{raw: raw}
	s.space()
	if err := s.value(depth); err != nil {
		return err
	}
	return s.end()
}

// scanner reads a text once, from start to end. A method starts at the first byte
// of the thing it is named after and leaves pos after the last one.
type scanner struct {
	raw []byte
	pos int
}

func (s *scanner) value(depth int) *SyntaxError {
	switch c := s.peek(); {
	case c == '"':
		return s.text()
	case c == '{':
		return s.object(depth)
	case c == '[':
		return s.array(depth)
	case c == '-', isDigit(c):
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	}
	return s.unexpected("a value")
}

func (s *scanner) object(depth int) *SyntaxError {
	more, err := s.open('}', depth)
	for more && err == nil {
		if _, err = s.key(); err != nil {
			return err
		}
		if err = s.value(depth + 1); err != nil {
			return err
		}
		more, err = s.next('}', "',' or '}'")
	}
	return err
}

func (s *scanner) array(depth int) *SyntaxError {
	more, err := s.open(']', depth)
	for more && err == nil {
		if err = s.value(depth + 1); err != nil {
			return err
		}
		more, err = s.next(']', "',' or ']'")
	}
	return err
}

// open steps into an array or object. more reports whether it has an item, which
// then starts at pos; otherwise pos is after the closing bracket.
func (s *scanner) open(closing byte, depth int) (more bool, err *SyntaxError) {
	if depth >= MaxNesting {
		// Ruby: JSON::NestingError, with the level reached.
		return false, s.fail("nesting of " + strconv.Itoa(depth+1) + " is too deep")
	}
	s.pos++
	s.space()
	if s.peek() == closing {
		s.pos++
		return false, nil
	}
	return true, nil
}

// next skips the comma before the next item, or the closing bracket.
func (s *scanner) next(closing byte, want string) (more bool, err *SyntaxError) {
	s.space()
	switch s.peek() {
	case ',':
		s.pos++
		s.space()
		return true, nil
	case closing:
		s.pos++
		return false, nil
	}
	return false, s.unexpected(want)
}

// key skips a member's name and colon, up to its value. It returns the name with
// its quotes.
func (s *scanner) key() ([]byte, *SyntaxError) {
	if s.peek() != '"' {
		return nil, s.unexpected("a string")
	}
	start := s.pos
	if err := s.text(); err != nil {
		return nil, err
	}
	name := s.raw[start:s.pos]
	s.space()
	if s.peek() != ':' {
		return nil, s.unexpected("':'")
	}
	s.pos++
	s.space()
	return name, nil
}

func (s *scanner) literal(word string) *SyntaxError {
	for i := range len(word) {
		if s.peek() != word[i] {
			return s.unexpected(word)
		}
		s.pos++
	}
	return nil
}

// end returns an error if anything but white space follows.
func (s *scanner) end() *SyntaxError {
	s.space()
	if s.pos < len(s.raw) {
		return s.unexpected("the end")
	}
	return nil
}

func (s *scanner) space() {
	for s.pos < len(s.raw) {
		c := s.raw[s.pos]
		if c > ' ' || c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return
		}
		s.pos++
	}
}

// peek returns the next byte, or 0 at the end of the text. A zero byte in the text
// is as invalid as the end at every place that is peeked at, and unexpected tells
// them apart by pos.
func (s *scanner) peek() byte {
	if s.pos < len(s.raw) {
		return s.raw[s.pos]
	}
	return 0
}

func (s *scanner) unexpected(want string) *SyntaxError {
	if s.pos >= len(s.raw) {
		return s.fail("unexpected end, want " + want)
	}
	if c := s.raw[s.pos]; c >= utf8.RuneSelf {
		return s.fail(fmt.Sprintf("unexpected byte 0x%x, want %s", c, want))
	}
	return s.fail(fmt.Sprintf("unexpected %q, want %s", s.raw[s.pos], want))
}

func (s *scanner) fail(reason string) *SyntaxError {
	return &SyntaxError{Offset: s.pos, Reason: reason}
}
