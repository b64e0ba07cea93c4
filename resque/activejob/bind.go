package activejob

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"reflect"
	"strings"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
)

// Bind decodes the arguments of a job into targets, which must be pointers, one for
// each argument. It decodes a hash into a struct, by its JSON tags, or into a map; a
// symbol, a module, a decimal or a GlobalID also into a string; every kind of time also
// into a time.Time; and null into types that can be nil. If the last target is a
// *[Keywords], the job may have no keyword arguments. The error is a
// [*resque.ArityError] or a [*resque.ArgumentError].
func Bind(job *resque.Payload, targets ...any) error {
	n := len(targets)
	if n == len(job.Args)+1 && isKeywords(targets[n-1]) {
		targets = targets[:n-1]
	}
	if len(targets) != len(job.Args) {
		return &resque.ArityError{Class: job.Class, Given: len(job.Args), Want: n}
	}
	for i, target := range targets {
		if m := assign(job.Args[i], reflect.ValueOf(target).Elem()); m != nil {
			return &resque.ArgumentError{
				Class: job.Class, Index: i + 1, Field: strings.TrimPrefix(m.path, "."), Want: m.want, Got: excerpt(m.got), Err: m.err,
			}
		}
	}
	return nil
}

func isKeywords(target any) bool {
	_, ok := target.(interface{ target() any })
	return ok
}

// mismatch is an argument, or a part of one, that cannot be decoded into its target.
// Its path is built from the inside out.
type mismatch struct {
	path string
	want string
	got  json.RawMessage
	err  error
}

func (m *mismatch) in(step string) *mismatch {
	if m != nil {
		m.path = step + m.path
	}
	return m
}

var errKind = errors.New("different kind of value")

func unfit(raw json.RawMessage, v reflect.Value) *mismatch {
	return &mismatch{want: v.Type().String(), got: raw, err: errKind}
}

// assign decodes raw into v.
func assign(raw json.RawMessage, v reflect.Value) *mismatch {
	target := v.Addr().Interface()
	if k, ok := target.(interface{ target() any }); ok {
		return assign(raw, reflect.ValueOf(k.target()).Elem())
	}
	if done, m := assignOwn(raw, v, target); done {
		return m
	}
	if string(raw) == "null" {
		return assignNull(raw, v, target)
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return assign(raw, v.Elem())
	}
	if readsItself(target) {
		return unmarshal(plainValue(raw), v)
	}
	return assignKind(raw, v)
}

func readsItself(target any) bool {
	switch target.(type) {
	case json.Unmarshaler, encoding.TextUnmarshaler:
		return true
	}
	return false
}

func assignNull(raw json.RawMessage, v reflect.Value, target any) *mismatch {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		v.SetZero()
		return nil
	default:
	}
	if _, ok := target.(json.Unmarshaler); ok {
		return unmarshal(raw, v)
	}
	return unfit(raw, v)
}

func assignKind(raw json.RawMessage, v reflect.Value) *mismatch {
	switch v.Kind() {
	case reflect.String:
		text, ok := textOf(decode(raw))
		if !ok {
			return unfit(raw, v)
		}
		v.SetString(text)
		return nil
	case reflect.Struct:
		return assignStruct(raw, v)
	case reflect.Map:
		return assignMap(raw, v)
	case reflect.Slice, reflect.Array:
		return assignItems(raw, v)
	case reflect.Interface:
		value := reflect.ValueOf(decode(raw))
		if !value.IsValid() || !value.Type().AssignableTo(v.Type()) {
			return unfit(raw, v)
		}
		v.Set(value)
		return nil
	default:
		return unmarshal(raw, v)
	}
}

func unmarshal(raw json.RawMessage, v reflect.Value) *mismatch {
	if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
		return &mismatch{want: v.Type().String(), got: raw, err: err}
	}
	return nil
}

// hashOf returns the members of a hash, or of the parameters of a request.
func hashOf(raw json.RawMessage) (o object, ok bool) {
	members, ok := rubyjson.Members(raw)
	if !ok {
		return object{}, false
	}
	o = object{raw, members}
	serializer, serialized := o.text(keySerialized)
	if !serialized {
		return o, true
	}
	if serializer == parametersSerializer {
		if value, ok := o.get("value"); ok {
			return hashOf(value)
		}
	}
	_, known := decodeSerialized(serializer, o)
	return o, !known // the fields of an Object can be decoded into a struct
}

func assignStruct(raw json.RawMessage, v reflect.Value) *mismatch {
	o, ok := hashOf(raw)
	if !ok {
		return unfit(raw, v)
	}
	fields := rubyjson.Fields(v.Type())
	for _, m := range o.members {
		f, ok := fieldFor(fields, m.Name)
		if !ok || isReserved(m.Name) {
			continue
		}
		field, ok := f.Of(v)
		if value := m.Value(o.raw); ok && string(value) != "null" { // null does not change a field, as in encoding/json
			if m := assign(value, field).in(step(m.Name)); m != nil {
				return m
			}
		}
	}
	return nil
}

// fieldFor returns the field with that name. Like encoding/json, it prefers an exact
// match to one that ignores case.
func fieldFor(fields []rubyjson.Field, name string) (found rubyjson.Field, ok bool) {
	for _, f := range fields {
		if f.Name() == name {
			return f, true
		}
		if !ok && strings.EqualFold(f.Name(), name) {
			found, ok = f, true
		}
	}
	return found, ok
}

func assignMap(raw json.RawMessage, v reflect.Value) *mismatch {
	o, ok := hashOf(raw)
	t := v.Type()
	if !ok || t.Key().Kind() != reflect.String {
		return unfit(raw, v)
	}
	v.Set(reflect.MakeMapWithSize(t, len(o.members)))
	for _, m := range o.members {
		if isReserved(m.Name) {
			continue
		}
		value := reflect.New(t.Elem()).Elem()
		if m := assign(m.Value(o.raw), value).in(step(m.Name)); m != nil {
			return m
		}
		v.SetMapIndex(reflect.ValueOf(m.Name).Convert(t.Key()), value)
	}
	return nil
}

func assignItems(raw json.RawMessage, v reflect.Value) *mismatch {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return unmarshal(raw, v) // base64
	}
	items, ok := rubyjson.Items(raw)
	if !ok || v.Kind() == reflect.Array && len(items) != v.Len() {
		return unfit(raw, v)
	}
	if v.Kind() == reflect.Slice {
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	}
	for i, item := range items {
		if m := assign(item.Value(raw), v.Index(i)); m != nil {
			return m.in((&trouble{}).inIndex(i).path)
		}
	}
	return nil
}

// excerpt returns the beginning of an argument for an error message, which is logged
// and recorded in the failure.
func excerpt(arg json.RawMessage) string {
	const most = 60
	if len(arg) <= most {
		return string(arg)
	}
	return string(bytes.ToValidUTF8(arg[:most], nil)) + "…"
}
