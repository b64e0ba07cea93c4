package rubyjson

import (
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// field is a member of a struct's JSON, as its tags define it.
type field struct {
	name      string
	index     []int // its path through embedded structs
	tagged    bool  // the name comes from a tag
	omitEmpty bool
	omitZero  bool
	quoted    bool
}

// value returns the field in v. ok is false if an embedded pointer on the path to
// the field is nil.
func (f *field) value(v reflect.Value) (_ reflect.Value, ok bool) {
	for _, i := range f.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}, false
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v, true
}

// fieldsOf returns the members of a struct by encoding/json's rules. The fields
// of embedded structs are members. Of several fields with the same name the least
// nested one wins, at the same depth the tagged one; if more than one is left,
// none of them is a member.
func fieldsOf(t reflect.Type) []field {
	var all []field
	seen := map[reflect.Type]bool{}
	for level := []field{{}}; len(level) > 0; {
		var next []field
		var types []reflect.Type
		for _, at := range level {
			st := typeAt(t, at.index)
			if seen[st] {
				continue
			}
			types = append(types, st)
			own, embedded := directFields(st, at.index)
			all = append(all, own...)
			next = append(next, embedded...)
		}
		for _, st := range types { // after the level: the same type twice on one level is a conflict
			seen[st] = true
		}
		level = next
	}
	all = slices.DeleteFunc(slices.Clone(all), func(f field) bool { return !dominates(f, all) })
	slices.SortFunc(all, func(a, b field) int { return slices.Compare(a.index, b.index) })
	return all
}

func typeAt(t reflect.Type, index []int) reflect.Type {
	for _, i := range index {
		t = structType(structType(t).Field(i).Type)
	}
	return t
}

func structType(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// dominates reports whether f beats every other field of its name.
func dominates(f field, all []field) bool {
	same := 0
	for _, other := range all {
		switch {
		case other.name != f.name:
		case other.rank() < f.rank():
			return false
		case other.rank() == f.rank():
			same++
		}
	}
	return same == 1
}

// rank is lower for the field that wins.
func (f *field) rank() int {
	if f.tagged {
		return 2 * len(f.index)
	}
	return 2*len(f.index) + 1
}

// directFields splits a struct's own fields into members and embedded structs.
func directFields(t reflect.Type, at []int) (own, embedded []field) {
	for i := range t.NumField() {
		sf := t.Field(i)
		ft := structType(sf.Type)
		isStruct := ft.Kind() == reflect.Struct
		if !sf.IsExported() && !(sf.Anonymous && isStruct) {
			continue
		}
		tag := sf.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		f := field{name: name, index: append(slices.Clone(at), i), tagged: isTagName(name)}
		if !f.tagged {
			f.name = sf.Name
			if sf.Anonymous && isStruct {
				embedded = append(embedded, f)
				continue
			}
		}
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "omitempty":
				f.omitEmpty = true
			case "omitzero":
				f.omitZero = true
			case "string":
				f.quoted = quotable(ft)
			}
		}
		own = append(own, f)
	}
	return own, embedded
}

// quotable reports whether the tag option "string" applies to values of type t.
func quotable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Float32, reflect.Float64, reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return true
	default:
		return false
	}
}

// isTagName reports whether encoding/json accepts s as a name in a tag. It
// ignores any other name.
func isTagName(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r)
	}) < 0
}
