package unique

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goresque/goresque/internal/rubyjson"
)

// By selects the arguments by which jobs are equal. Make one with [Args].
type By []int

// Args selects arguments by their numbers, the first is 1:
//
//	unique.Policy{By: unique.Args(1)}
func Args(numbers ...int) By { return append(By(nil), numbers...) }

// fields selects members of an object, by name. nil selects everything.
type fields struct{ of map[string]*fields }

// fieldsOf returns the fields of a struct with the tag resque:"unique", also of structs
// inside it, or nil if it has none.
func fieldsOf(t reflect.Type) *fields { return taggedFields(t, 0) }

const maxTagDepth = 20

func taggedFields(t reflect.Type, depth int) *fields {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct || depth > maxTagDepth {
		return nil
	}
	found := map[string]*fields{}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		inside := taggedFields(f.Type, depth+1)
		tagged := slices.Contains(strings.Split(f.Tag.Get("resque"), ","), "unique")
		if !tagged && inside == nil {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" && inside != nil {
			for name, sub := range inside.of {
				found[name] = sub
			}
			continue
		}
		if name == "" {
			name = f.Name
		}
		found[name] = inside
	}
	if len(found) == 0 {
		return nil
	}
	return &fields{found}
}

// selected returns the arguments by which jobs are equal.
func (e *end) selected(args []json.RawMessage) ([]json.RawMessage, error) {
	some := make([]json.RawMessage, 0, len(args))
	add := func(i int) {
		arg := args[i]
		if i < len(e.fields) && e.fields[i] != nil {
			arg = e.fields[i].append(nil, arg)
		}
		some = append(some, arg)
	}
	if len(e.By) == 0 {
		for i := range args {
			add(i)
		}
		return some, nil
	}
	for _, n := range e.By {
		if n > len(args) {
			return nil, fmt.Errorf("By has argument %d; the job has %d", n, len(args))
		}
		add(n - 1)
	}
	return some, nil
}

// append appends the selected members of raw, if it is an object.
func (f *fields) append(dst, raw []byte) []byte {
	members, ok := rubyjson.Members(raw)
	if !ok {
		return append(dst, raw...)
	}
	dst = append(dst, '{')
	first := true
	for _, m := range members {
		sub, ok := f.of[m.Name]
		if !ok {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		name, err := rubyjson.AppendString(dst, m.Name)
		if err != nil {
			continue // it was read from JSON, so it is valid
		}
		dst = append(name, ':')
		if value := m.Value(raw); sub != nil {
			dst = sub.append(dst, value)
		} else {
			dst = append(dst, value...)
		}
	}
	return append(dst, '}')
}
