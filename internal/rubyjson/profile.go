package rubyjson

import (
	"math"
	"time"
)

// Profile is whose spelling is written. Readers take them all: they differ in
// bytes, not in meaning, but for what ActiveSupport turns into null.
type Profile uint8

// The profiles. The json gem decides how floats are spelled, ActiveSupport what
// is escaped. Float spellings of the gem's 2.11 to 2.14 are none of these.
const (
	Plain    Profile = iota // the json gem up to 2.10, without Rails
	Rails                   // the same with ActiveSupport 6.1 to 8.1
	Plain215                // the json gem from 2.15 on, without Rails
	Rails215                // the same with ActiveSupport
)

// rails tells whether ActiveSupport::JSON::Encoding escapes what HTML gives a
// meaning to, and writes null for the floats that JSON has no name for.
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

// escapeForHTML appends what ActiveSupport writes for the character at the
// start of s, if it is one of those that it escapes beside Ruby's own, and the
// number of bytes it has.
func escapeForHTML(dst []byte, s string) (_ []byte, size int) {
	switch s[0] {
	case '<':
		return append(dst, `\u003c`...), 1
	case '>':
		return append(dst, `\u003e`...), 1
	case '&':
		return append(dst, `\u0026`...), 1
	case '\xe2': // they end a line in JavaScript
		if len(s) >= 3 && s[1] == '\x80' && (s[2] == '\xa8' || s[2] == '\xa9') {
			return append(append(dst, `\u202`...), s[2]-'\xa8'+'8'), 3
		}
	}
	return dst, 0
}

// appendTime writes a time as ActiveSupport does: to the millisecond. Plain
// Ruby has no JSON for times, and there Go's own is written.
//
// Ruby: ActiveSupport::JSON::Encoding.time_precision.
func appendTime(dst []byte, t time.Time) []byte {
	return t.AppendFormat(dst, `"2006-01-02T15:04:05.000Z07:00"`)
}

// notInJSON is the name of a float that JSON has none for.
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
