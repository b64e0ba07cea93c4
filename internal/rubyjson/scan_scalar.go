package rubyjson

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// text skips a string. Every version of Ruby's json gem can read and write the
// strings that text accepts. json 2.6 reads a few others, but raises when it has
// to write them into the failed list.
func (s *scanner) text() *SyntaxError {
	raw := s.raw
	for i := skipPlain(raw, s.pos+1); i < len(raw); {
		switch c := raw[i]; {
		case c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\':
			i++
		case c == '"':
			s.pos = i + 1
			return nil
		case c == '\\':
			s.pos = i
			if err := s.escape(); err != nil {
				return err
			}
			i = skipPlain(raw, s.pos)
		case c < ' ':
			s.pos = i
			return s.fail(fmt.Sprintf("unescaped control character %q in a string", c))
		default:
			r, size := utf8.DecodeRune(raw[i:])
			if r == utf8.RuneError && size == 1 {
				s.pos = i
				return s.fail("string is not UTF-8")
			}
			i += size
		}
	}
	s.pos = len(raw)
	return s.unexpected(`'"'`)
}

// skipPlain returns the position of the first byte from i on that can mean something in a
// string, or one at most 7 bytes before it. It looks at 8 bytes at a time: errors and
// backtraces are long.
func skipPlain(raw []byte, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(raw); i += 8 {
		w := binary.LittleEndian.Uint64(raw[i:])
		quote, backslash := w^'"'*ones, w^'\\'*ones
		// A byte below n, or a zero, borrows from its top bit.
		if (w|(w-' '*ones)&^w|(quote-ones)&^quote|(backslash-ones)&^backslash)&tops != 0 {
			return i
		}
	}
	return i
}

// escape skips an escape sequence. A pair of surrogates is one sequence.
func (s *scanner) escape() *SyntaxError {
	start := s.pos
	s.pos++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return nil
	case 'u':
	default:
		return s.unexpected("an escape")
	}
	r, err := s.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return err
	}
	if s.peek() == '\\' && s.pos+1 < len(s.raw) && s.raw[s.pos+1] == 'u' {
		s.pos++
		low, err := s.hex4()
		if err != nil {
			return err
		}
		if utf16.DecodeRune(r, low) != utf8.RuneError {
			return nil
		}
	}
	s.pos = start
	return s.fail("lone surrogate in a string")
}

// hex4 skips the u of an escape and its four digits, and returns their value.
func (s *scanner) hex4() (rune, *SyntaxError) {
	var r rune
	s.pos++
	for range 4 {
		d, ok := hexDigit(s.peek())
		if !ok {
			return 0, s.unexpected("a hexadecimal digit")
		}
		r = r<<4 | d
		s.pos++
	}
	return r, nil
}

func (s *scanner) number() *SyntaxError {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' { // only a fraction or an exponent may follow it
		s.pos++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.peek() == '.' {
		s.pos++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if c := s.peek(); c != 'e' && c != 'E' {
		return nil
	}
	s.pos++
	if c := s.peek(); c == '+' || c == '-' {
		s.pos++
	}
	return s.digits()
}

func (s *scanner) digits() *SyntaxError {
	if !isDigit(s.peek()) {
		return s.unexpected("a digit")
	}
	for isDigit(s.peek()) {
		s.pos++
	}
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func hexDigit(c byte) (rune, bool) {
	switch {
	case isDigit(c):
		return rune(c - '0'), true
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10, true
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}

// unquote decodes a string that text has accepted. raw includes the quotes.
func unquote(raw []byte) string {
	body := raw[1 : len(raw)-1]
	out := make([]byte, 0, len(body))
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			out = append(out, body[i])
			continue
		}
		i++
		switch c := body[i]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			s := scanner{raw: body, pos: i}
			r, _ := s.hex4() // text has checked the digits
			if utf16.IsSurrogate(r) {
				s.pos++
				low, _ := s.hex4()
				r = utf16.DecodeRune(r, low)
			}
			out = utf8.AppendRune(out, r)
			i = s.pos - 1
		default:
			out = append(out, c)
		}
	}
	return string(out)
}
