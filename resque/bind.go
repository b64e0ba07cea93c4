package resque

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
)

// ArityError reports a payload whose number of arguments is not the number that its class
// takes.
type ArityError struct {
	Class       string
	Given, Want int
}

func (e *ArityError) Error() string {
	return fmt.Sprintf("%s: wrong number of arguments (given %d, expected %d)", e.Class, e.Given, e.Want)
}

// ExceptionName returns the class of this error in Ruby.
func (e *ArityError) ExceptionName() string { return "ArgumentError" }

// ArgumentError reports an argument that cannot be decoded into the type that its class
// takes.
type ArgumentError struct {
	Class string
	Index int    // from 1
	Field string // the path inside the argument, such as "rows" or "only[1].id"; empty for the argument itself
	Want  string // the Go type
	Got   string // the JSON of the argument or the field, cut if it is long
	Err   error  // the decoder's error
}

func (e *ArgumentError) Error() string {
	if e.Field != "" {
		return fmt.Sprintf("%s: argument %d, field %q: want %s, got %s", e.Class, e.Index, e.Field, e.Want, e.Got)
	}
	return fmt.Sprintf("%s: argument %d: want %s, got %s", e.Class, e.Index, e.Want, e.Got)
}

// Unwrap returns the error of the decoder.
func (e *ArgumentError) Unwrap() error { return e.Err }

// ExceptionName returns the class of this error in Ruby.
func (e *ArgumentError) ExceptionName() string { return "ArgumentError" }

var errNull = errors.New("null can only be decoded into a type that can be nil")

// Bind decodes the arguments into targets, one pointer for each argument. Integers stay
// exact: in a value of type any they are a [json.Number]. null can only be decoded into a type
// that can be nil or has an UnmarshalJSON method. Bind returns an [*ArityError] or an
// [*ArgumentError].
func (p *Payload) Bind(targets ...any) error {
	if len(targets) != len(p.Args) {
		return &ArityError{Class: p.Class, Given: len(p.Args), Want: len(targets)}
	}
	for i, target := range targets {
		if err := bind(p.Args[i], target); err != nil {
			return argumentErrorOf(p.Class, i, p.Args[i], target, err)
		}
	}
	return nil
}

func bind(arg json.RawMessage, target any) error {
	if id, ok := target.(*int64); ok { // the commonest argument by far
		n, err := strconv.ParseInt(string(arg), 10, 64)
		*id = n
		return err //nolint:wrapcheck // Bind wraps it
	}
	if at, ok := target.(*time.Time); ok {
		return bindTime(arg, at)
	}
	if string(arg) == "null" && !nullable(target) {
		return errNull
	}
	d := json.NewDecoder(bytes.NewReader(arg))
	d.UseNumber()
	return d.Decode(target) //nolint:wrapcheck // Bind wraps it
}

// bindTime parses a time as Go, Rails or Ruby without Rails writes it.
func bindTime(arg json.RawMessage, target *time.Time) (err error) {
	var text string
	if string(arg) == "null" {
		return errNull
	}
	if err = json.Unmarshal(arg, &text); err != nil {
		return err //nolint:wrapcheck // Bind wraps it
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05 UTC", "2006-01-02 15:04:05 -0700"} {
		if *target, err = time.Parse(layout, text); err == nil {
			return nil
		}
	}
	return err //nolint:wrapcheck // Bind wraps it
}

func nullable(target any) bool {
	if _, ok := target.(json.Unmarshaler); ok {
		return true
	}
	switch reflect.TypeOf(target).Elem().Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	default:
		return false
	}
}

// argumentErrorOf describes why an argument, counted from 0, does not fit its target.
func argumentErrorOf(class string, i int, arg json.RawMessage, target any, err error) *ArgumentError {
	e := &ArgumentError{Class: class, Index: i + 1, Err: err, Want: reflect.TypeOf(target).Elem().String(), Got: excerpt(arg)}
	var unfit *json.UnmarshalTypeError
	if !errors.As(err, &unfit) {
		return e
	}
	if path, value, ok := locate(arg, int(unfit.Offset)); ok && fits(path, unfit.Field) {
		e.Field, e.Got = strings.TrimPrefix(path, "."), excerpt(value)
	} else if unfit.Field != "" { // a type that decodes itself
		e.Field, e.Got = unfit.Field, unfit.Value
	}
	if e.Field != "" {
		e.Want = unfit.Type.String()
	}
	return e
}

// locate returns the value in raw that the decoder had read up to offset, and its path:
// the innermost one that begins or ends there. ok is false if there is none.
func locate(raw json.RawMessage, offset int) (path string, value json.RawMessage, ok bool) {
	start := len(raw) - len(bytes.TrimLeft(raw, " \t\r\n"))
	type part struct {
		step       string
		start, end int
	}
	var parts []part
	if members, object := rubyjson.Members(raw); object {
		for _, m := range members {
			parts = append(parts, part{"." + m.Name, m.Start, m.End})
		}
	}
	if items, array := rubyjson.Items(raw); array {
		for i, item := range items {
			parts = append(parts, part{"[" + strconv.Itoa(i) + "]", item.Start, item.End})
		}
	}
	for _, p := range parts {
		if p.start < offset && offset <= p.end {
			inner, value, ok := locate(raw[p.start:p.end], offset-p.start)
			return p.step + inner, value, ok
		}
	}
	if container := raw[start] == '{' || raw[start] == '['; container {
		return "", raw, offset == start+1
	}
	return "", raw, offset == len(bytes.TrimRight(raw, " \t\r\n"))
}

// fits reports whether a path ends in the field that the decoder names, whose name
// has no indices and no keys of maps.
func fits(path, field string) bool {
	last := field[strings.LastIndexByte(field, '.')+1:]
	return last == "" || slices.ContainsFunc(strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }),
		func(step string) bool { return strings.EqualFold(step, last) })
}

// excerpt returns the JSON of an argument for an error message. It is cut to 60 bytes,
// because the message is logged and stored with the failure.
func excerpt(arg json.RawMessage) string {
	const most = 60
	if len(arg) <= most {
		return string(arg)
	}
	return string(bytes.ToValidUTF8(arg[:most], nil)) + "…"
}
