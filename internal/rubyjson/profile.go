package rubyjson

import (
	"math"
	"time"
)

// Profile selects whose spelling is written. All readers accept all of them: the
// profiles differ in bytes, not in meaning, except for the floats that
// ActiveSupport writes as null.
type Profile uint8

// The profiles. The json gem decides how floats are spelled, ActiveSupport what
// is escaped. No profile has the float spellings of the gem's versions 2.11 to
// 2.14.
const (
	Plain    Profile = iota // the json gem up to 2.10, without Rails
	Rails                   // the same with ActiveSupport 6.1 to 8.1
	Plain215                // the json gem since 2.15, without Rails
	Rails215                // the same with ActiveSupport
)

// rails reports whether p is written by ActiveSupport::JSON::Encoding, which
// escapes the characters that are special in HTML and writes NaN and infinities
// as null.
func (p Profile) rails() bool { return p == Rails || p == Rails215 }

// Append appends v to dst, as [Append] does, in the spelling of p.
func (p Profile) Append(dst []byte, v any) ([]byte, error) {
	out, err := p.appendValue(dst, v, 0)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// AppendArgs appends a job's arguments, as [AppendArgs] does, in the spelling
// of p.
func (p Profile) AppendArgs(dst []byte, args []any) ([]byte, error) {
	if args == nil {
		return append(dst, "[]"...), nil
	}
	out, err := p.appendSlice(dst, args, 1)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// AppendString appends s, as [AppendString] does, in the spelling of p.
func (p Profile) AppendString(dst []byte, s string) ([]byte, error) {
	out, err := p.appendString(dst, s)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// escapeForHTML appends the escape of the first character of s, if it is one that
// ActiveSupport escapes and plain Ruby does not. size is the number of bytes of
// that character, or 0 if it needs no escape.
func escapeForHTML(dst []byte, s string) (_ []byte, size int) {
	switch s[0] {
	case '<':
		return append(dst, `\u003c`...), 1
	case '>':
		return append(dst, `\u003e`...), 1
	case '&':
		return append(dst, `\u0026`...), 1
	case '\xe2': // U+2028 and U+2029, which end a line in JavaScript
		if len(s) >= 3 && s[1] == '\x80' && (s[2] == '\xa8' || s[2] == '\xa9') {
			return append(append(dst, `\u202`...), s[2]-'\xa8'+'8'), 3
		}
	}
	return dst, 0
}

// appendTime writes a time as ActiveSupport does, in milliseconds. The plain
// profiles write a time as encoding/json does, because plain Ruby has no JSON
// format for times.
//
// Ruby: ActiveSupport::JSON::Encoding.time_precision.
func appendTime(dst []byte, t time.Time) []byte {
	return t.AppendFormat(dst, `"2006-01-02T15:04:05.000Z07:00"`)
}

// notInJSON returns Ruby's name of f, if f is not a number that JSON has.
func notInJSON(f float64) (name string, ok bool) {
	switch {
	case math.IsNaN(f):
		return "NaN", true
	case math.IsInf(f, 1):
		return "Infinity", true
	case math.IsInf(f, -1):
		return "-Infinity", true
	}
	return "", false
}
