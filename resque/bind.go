package resque

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// ArityError reports a payload with another number of arguments than its class
// takes.
type ArityError struct {
	Class       string
	Given, Want int
}

func (e *ArityError) Error() string {
	return fmt.Sprintf("%s: wrong number of arguments (given %d, expected %d)", e.Class, e.Given, e.Want)
}

// ExceptionName is Ruby's class for this error.
func (e *ArityError) ExceptionName() string { return "ArgumentError" }

// ArgumentError reports an argument of another type than its class takes.
type ArgumentError struct {
	Class string
	Index int // from 1
	Want  string
	Got   string // the argument's JSON, cut where it is long
	Err   error  // what the decoder said
}

func (e *ArgumentError) Error() string {
	return fmt.Sprintf("%s: argument %d: want %s, got %s", e.Class, e.Index, e.Want, e.Got)
}

// Unwrap returns what the decoder said.
func (e *ArgumentError) Unwrap() error { return e.Err }

// ExceptionName is Ruby's class for this error.
func (e *ArgumentError) ExceptionName() string { return "ArgumentError" }

var errNull = errors.New("null fits only what can be nil")

// Bind decodes the arguments into targets, which are pointers, one for each
// argument. Integers stay exact, also inside any (as json.Number). null binds
// only to what can be nil or has an UnmarshalJSON of its own. Errors are *ArityError and *ArgumentError.
func (p *Payload) Bind(targets ...any) error {
	if len(targets) != len(p.Args) {
		return &ArityError{Class: p.Class, Given: len(p.Args), Want: len(targets)}
	}
	for i, target := range targets {
		if err := bind(p.Args[i], target); err != nil {
			return &ArgumentError{
				Class: p.Class, Index: i + 1, Err: err,
				Want: wanted(target), Got: excerpt(p.Args[i]),
			}
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

// bindTime reads a time as Go and Rails write it, and as plain Ruby does.
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

func wanted(target any) string { return reflect.TypeOf(target).Elem().String() }

// excerpt is an argument's text for a message, which ends up in a log line and
// in the failures.
func excerpt(arg json.RawMessage) string {
	const most = 60
	if len(arg) <= most {
		return string(arg)
	}
	return string(bytes.ToValidUTF8(arg[:most], nil)) + "…"
}
