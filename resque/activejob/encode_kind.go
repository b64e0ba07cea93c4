package activejob

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/goresque/goresque/internal/rubyjson"
)

// kind writes a value by its reflect.Kind, for types that value does not know.
func (w *writer) kind(v reflect.Value, at rubyjson.Place) *trouble {
	t := v.Type()
	switch {
	case t.Kind() == reflect.Pointer:
		return w.pointer(v, at)
	case rubyjson.HasOwnJSON(t):
		return w.marshaled(v, at)
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return w.items(v, at)
	case reflect.Map:
		if v.IsNil() {
			return w.plain(nil, at)
		}
		pairs, t := mapPairs(v)
		if t != nil {
			return t
		}
		return w.pairs(pairs, AnyHash, at)
	case reflect.Struct:
		return w.pairs(structPairs(v), AnyHash, at)
	default:
		return w.plain(v.Interface(), at)
	}
}

func (w *writer) pointer(v reflect.Value, at rubyjson.Place) *trouble {
	if v.IsNil() {
		return w.plain(nil, at)
	}
	if rubyjson.HasOwnJSON(v.Type()) && !rubyjson.HasOwnJSON(v.Type().Elem()) { // the method has a pointer receiver
		return w.marshaled(v, at)
	}
	inside, err := at.Inside() // a pointer is not a level of JSON, but it may form a cycle
	if err != nil {
		return &trouble{reason: err.Error(), err: err}
	}
	return w.value(v.Elem().Interface(), inside)
}

// boxed returns v, or its address if the methods that encode it have a pointer receiver.
func boxed(v reflect.Value) any {
	if v.CanAddr() && v.Kind() != reflect.Interface && !rubyjson.HasOwnJSON(v.Type()) && rubyjson.HasOwnJSON(reflect.PointerTo(v.Type())) {
		return v.Addr().Interface()
	}
	return v.Interface()
}

func (w *writer) items(v reflect.Value, at rubyjson.Place) *trouble {
	if v.Kind() == reflect.Slice && (v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8) {
		return w.plain(v.Interface(), at) // null, or base64
	}
	inside, err := at.Inside()
	if err != nil {
		return &trouble{reason: err.Error(), err: err}
	}
	w.dst = append(w.dst, '[')
	for i := range v.Len() {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		if t := w.value(boxed(v.Index(i)), inside); t != nil {
			return t.inIndex(i)
		}
	}
	w.dst = append(w.dst, ']')
	return nil
}

// mapPairs returns the pairs of a map, sorted by key. Rails accepts strings and symbols
// as keys.
func mapPairs(v reflect.Value) ([]Pair, *trouble) {
	t := v.Type().Key()
	if t.Kind() != reflect.String {
		return nil, troublef("Only string and symbol hash keys may be serialized as job arguments, but there is a %s", t)
	}
	symbol := t == reflect.TypeFor[Symbol]()
	pairs := make([]Pair, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		pairs = append(pairs, Pair{Key: it.Key().String(), Symbol: symbol, Value: it.Value().Interface()})
	}
	slices.SortFunc(pairs, func(a, b Pair) int { return cmp.Compare(a.Key, b.Key) })
	return pairs, nil
}

// structPairs returns the fields of a struct, named by its JSON tags, with symbols as
// keys.
func structPairs(v reflect.Value) []Pair {
	var pairs []Pair
	for _, f := range rubyjson.Fields(v.Type()) {
		if field, ok := f.In(v); ok {
			pairs = append(pairs, Pair{Key: f.Name(), Symbol: true, Value: boxed(field)})
		}
	}
	return pairs
}

// keywords writes a struct or a map as keyword arguments.
func (w *writer) keywords(v reflect.Value, at rubyjson.Place) *trouble {
	for v.IsValid() && v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch {
	case v.IsValid() && v.Kind() == reflect.Struct && !rubyjson.HasOwnJSON(v.Type()):
		return w.pairs(structPairs(v), KeywordHash, at)
	case v.IsValid() && v.Kind() == reflect.Map:
		pairs, t := mapPairs(v)
		for i := range pairs {
			pairs[i].Symbol = true // a keyword is a symbol
		}
		if t != nil {
			return t
		}
		return w.pairs(pairs, KeywordHash, at)
	}
	return troublef("keyword arguments must be a struct or a map")
}

// marshaled writes a value that encodes itself as JSON.
func (w *writer) marshaled(v reflect.Value, at rubyjson.Place) *trouble {
	raw, err := rubyjson.Place{}.Append(nil, v.Interface())
	if err != nil {
		return &trouble{reason: err.Error(), err: err}
	}
	if bytes.IndexByte(raw, '{') < 0 {
		return w.plain(v.Interface(), at)
	}
	return w.foreign(raw, at)
}

// foreign writes JSON that the caller provides. Rails must read its objects as plain
// hashes, so they may not contain reserved keys.
func (w *writer) foreign(raw json.RawMessage, at rubyjson.Place) *trouble {
	if bytes.IndexByte(raw, '{') < 0 {
		return w.plain(raw, at)
	}
	if members, ok := rubyjson.Members(raw); ok {
		pairs := make([]Pair, len(members))
		for i, m := range members {
			pairs[i] = Pair{Key: m.Name, Value: m.Value(raw)}
		}
		return w.pairs(pairs, AnyHash, at)
	}
	items, ok := rubyjson.Items(raw)
	if !ok {
		return w.plain(raw, at) // a string with a brace, or invalid JSON, for which plain returns an error
	}
	values := make([]any, len(items))
	for i, item := range items {
		values[i] = item.Value(raw)
	}
	return w.items(reflect.ValueOf(values), at)
}
