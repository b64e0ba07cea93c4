package rubyjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// AppendString appends s as a JSON string in Ruby's spelling: only the quote, the
// backslash and the control bytes below 0x20 are escaped. If s is not UTF-8, it
// returns dst unchanged and an [*EncodeError].
func AppendString(dst []byte, s string) ([]byte, error) { return Plain.AppendString(dst, s) }

func (p Profile) appendString(dst []byte, s string) ([]byte, *EncodeError) {
	if !utf8.ValidString(s) {
		return dst, &EncodeError{Reason: "source sequence is illegal/malformed utf-8"}
	}
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c == '"' || c == '\\':
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			start = i + 1
		case p.rails() && (c == '<' || c == '>' || c == '&' || c == '\xe2'):
			dst = append(dst, s[start:i]...)
			escaped, size := escapeForHTML(dst, s[i:])
			dst, start = escaped, i+size
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"'), nil
}

func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// appendKey writes the name of the i-th member, the comma before it and the colon
// after it.
func (p Profile) appendKey(dst []byte, key string, i int) ([]byte, *EncodeError) {
	if i > 0 {
		dst = append(dst, ',')
	}
	dst, err := p.appendString(dst, key)
	if err != nil {
		return dst, err.inKey(key)
	}
	return append(dst, ':'), nil
}

// appendFloat writes the shortest digits that read back as f, in the form of
// Ruby's Float#to_s. (Since 2.15 the json gem has another form, see
// appendFloat215.) There is always a decimal point, so that Ruby never reads a
// Float as an Integer. Numbers below 1e-4, and whole numbers from 1e15 on, have an
// exponent; a larger number with a fraction, as some up to 2**53 are, has none.
func (p Profile) appendFloat(dst []byte, f float64, bits int) ([]byte, *EncodeError) {
	if name, ok := notInJSON(f); ok {
		if p.rails() {
			return append(dst, "null"...), nil
		}
		return dst, &EncodeError{Reason: name + " not allowed in JSON"}
	}
	if p == Plain215 || p == Rails215 {
		return appendFloat215(dst, f, bits), nil
	}
	low, high := 1e-4, 1e15
	if bits == 32 { // the float32s with these digits are not exactly these numbers
		low, high = float64(float32(1e-4)), float64(float32(1e15))
	}
	abs := math.Abs(f)
	if abs == 0 || low <= abs && (abs < high || abs != math.Trunc(abs)) {
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
		if bytes.IndexByte(dst[start:], '.') < 0 {
			dst = append(dst, ".0"...)
		}
		return dst, nil
	}
	var buf [32]byte
	digits := strconv.AppendFloat(buf[:0], f, 'e', -1, bits)
	e := bytes.IndexByte(digits, 'e')
	dst = append(dst, digits[:e]...)
	if bytes.IndexByte(digits, '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return append(dst, digits[e:]...), nil
}

// appendNumber writes a number as the caller spelled it.
func appendNumber(dst []byte, n json.Number) ([]byte, *EncodeError) {
	if n == "" { // the zero value; as in encoding/json
		return append(dst, '0'), nil
	}
	start := len(dst)
	dst = append(dst, n...)
	s := scanner{raw: dst, pos: start}
	if err := s.number(); err != nil || s.pos != len(dst) {
		return dst, &EncodeError{Reason: fmt.Sprintf("invalid number %q", string(n))}
	}
	return dst, nil
}
