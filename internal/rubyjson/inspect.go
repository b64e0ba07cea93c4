package rubyjson

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Inspect is how Ruby inspects a hash.
type Inspect int

// The values of Inspect.
const (
	Ruby33 Inspect = iota // Ruby 3.3 and older: {"a"=>1}
	Ruby34                // Ruby 3.4 and newer: {"a" => 1}
)

// AppendJoined appends what Ruby's args.join(separator) returns: the texts of the
// values, those of nested arrays without brackets. args are valid JSON.
//
// Ruby: Array#join.
func (f Inspect) AppendJoined(dst []byte, args []json.RawMessage, separator string) []byte {
	for i, arg := range args {
		if i > 0 {
			dst = append(dst, separator...)
		}
		dst = f.appendToS(dst, arg, separator)
	}
	return dst
}

// AppendInspected appends what Ruby's args.inspect returns. args are valid JSON.
//
// Ruby: Array#inspect.
func (f Inspect) AppendInspected(dst []byte, args []json.RawMessage) []byte {
	dst = append(dst, '[')
	for i, arg := range args {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = f.appendInspect(dst, arg)
	}
	return append(dst, ']')
}

// AppendInspect appends what Ruby's inspect returns for a value, which is valid JSON.
//
// Ruby: Object#inspect.
func (f Inspect) AppendInspect(dst, raw []byte) []byte { return f.appendInspect(dst, raw) }

// appendToS appends the result of to_s or, for an array, of join.
func (f Inspect) appendToS(dst, raw []byte, separator string) []byte {
	switch text, isText := Text(raw); {
	case isText:
		return append(dst, text...)
	case string(raw) == "null":
		return dst
	}
	items, ok := Items(raw)
	if !ok {
		return f.appendInspect(dst, raw)
	}
	for i, item := range items {
		if i > 0 {
			dst = append(dst, separator...)
		}
		dst = f.appendToS(dst, item.Value(raw), separator)
	}
	return dst
}

// appendInspect appends the result of inspect.
func (f Inspect) appendInspect(dst, raw []byte) []byte {
	switch raw[0] {
	case '"':
		text, _ := Text(raw)
		return appendInspectedString(dst, text)
	case '{':
		return f.appendInspectedHash(dst, raw)
	case '[':
		items, _ := Items(raw)
		dst = append(dst, '[')
		for i, item := range items {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = f.appendInspect(dst, item.Value(raw))
		}
		return append(dst, ']')
	case 'n':
		return append(dst, "nil"...)
	case 't', 'f':
		return append(dst, raw...)
	}
	return appendInspectedNumber(dst, string(raw))
}

// appendInspectedHash appends an object. A member that is repeated keeps the first place
// and has the last value.
func (f Inspect) appendInspectedHash(dst, raw []byte) []byte {
	members, _ := Members(raw)
	var hash []Member
	for _, m := range members {
		if at := slices.IndexFunc(hash, func(h Member) bool { return h.Name == m.Name }); at >= 0 {
			hash[at] = m
		} else {
			hash = append(hash, m)
		}
	}
	arrow := "=>"
	if f == Ruby34 {
		arrow = " => "
	}
	dst = append(dst, '{')
	for i, m := range hash {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(appendInspectedString(dst, m.Name), arrow...)
		dst = f.appendInspect(dst, m.Value(raw))
	}
	return append(dst, '}')
}

func appendInspectedNumber(dst []byte, text string) []byte {
	if f, err := strconv.ParseFloat(text, 64); err != nil && strings.ContainsAny(text, ".eE") {
		if f < 0 {
			return append(dst, "-Infinity"...)
		}
		return append(dst, "Infinity"...)
	}
	dst, _ = respellNumber(dst, text) // fails only for numbers out of range
	return dst
}

// appendInspectedString appends a string in quotes. Characters that Ruby does not print
// are escaped.
//
// Ruby: String#inspect.
func appendInspectedString(dst []byte, s string) []byte {
	const control = "\a\b\t\n\v\f\r\x1b"
	dst = append(dst, '"')
	for i, r := range s {
		if at := strings.IndexRune(control, r); at >= 0 {
			dst = append(dst, '\\', "abtnvfre"[at])
			continue
		}
		switch interpolates := r == '#' && i+1 < len(s) && strings.IndexByte("{$@", s[i+1]) >= 0; {
		case r == '"' || r == '\\' || interpolates:
			dst = append(dst, '\\', byte(r))
		case r == '\u0085' || unicode.IsGraphic(r) || unicode.In(r, unicode.Cf, unicode.Co):
			dst = append(dst, string(r)...)
		case r > 0xFFFF:
			dst = fmt.Appendf(dst, `\u{%X}`, r)
		default:
			dst = fmt.Appendf(dst, `\u%04X`, r)
		}
	}
	return append(dst, '"')
}
