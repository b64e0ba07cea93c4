package rubyjson

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"sync"
	"time"
)

// shape is the way in which a type is written.
type shape uint8

const (
	plain         shape = iota // by its kind
	named                      // by appendNamed
	appender                   // by its AppendRuby method
	marshaler                  // by its MarshalJSON method
	textMarshaler              // by its MarshalText method
)

// typeInfo caches how the values of a type are written.
type typeInfo struct {
	shape     shape
	addressed shape   // of addressable values, for which methods of *T count
	fields    []field // of a struct
}

//nolint:gochecknoglobals // a cache: types do not change, and there are few
var typeInfos sync.Map // reflect.Type to *typeInfo

func typeOf(t reflect.Type) *typeInfo {
	if info, ok := typeInfos.Load(t); ok {
		return info.(*typeInfo)
	}
	info := &typeInfo{shape: shapeOfType(t)}
	info.addressed = info.shape
	if t.Kind() != reflect.Pointer && info.shape != named {
		info.addressed = shapeOfType(reflect.PointerTo(t))
	}
	if t.Kind() == reflect.Struct {
		info.fields = fieldsOf(t)
	}
	actual, _ := typeInfos.LoadOrStore(t, info)
	return actual.(*typeInfo)
}

func shapeOf(v reflect.Value) shape {
	info := typeOf(v.Type())
	if v.CanAddr() {
		return info.addressed
	}
	return info.shape
}

func shapeOfType(t reflect.Type) shape {
	switch {
	case isNamed(t):
		return named
	case t.Kind() == reflect.Pointer && isNamed(t.Elem()):
		return plain // *big.Int has MarshalJSON, but is written as big.Int
	case t.Implements(reflect.TypeFor[Appender]()):
		return appender
	case t.Implements(reflect.TypeFor[json.Marshaler]()):
		return marshaler
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return textMarshaler
	}
	return plain
}

func isNamed(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[big.Int](),
		reflect.TypeFor[json.Number](), reflect.TypeFor[json.RawMessage]():
		return true
	}
	return false
}

func (p Profile) appendShaped(dst []byte, v reflect.Value, s shape, depth int) ([]byte, *EncodeError) {
	if s == named {
		return p.appendNamed(dst, v.Interface(), depth)
	}
	if p.rails() && v.Type() == reflect.TypeFor[time.Time]() {
		return appendTime(dst, v.Interface().(time.Time)), nil
	}
	if typeOf(v.Type()).shape != s { // the method is one of *T
		v = v.Addr()
	}
	switch m := v.Interface().(type) {
	case Appender:
		return p.appendAppender(dst, m, depth)
	case json.Marshaler:
		raw, err := m.MarshalJSON()
		if err != nil {
			return dst, marshalerError(m, "MarshalJSON", err)
		}
		return splice(dst, raw, depth)
	case encoding.TextMarshaler:
		text, err := m.MarshalText()
		if err != nil {
			return dst, marshalerError(m, "MarshalText", err)
		}
		return p.appendString(dst, string(text))
	}
	return dst, &EncodeError{Reason: "unsupported type " + v.Type().String()}
}

// splice writes raw, JSON that the caller or a marshaler has written. It checks
// raw but does not change it, because it may be spelled to match Ruby's bytes.
func splice(dst, raw []byte, depth int) ([]byte, *EncodeError) {
	if err := validAt(raw, depth); err != nil {
		return dst, &EncodeError{Reason: err.Error(), Err: err}
	}
	return append(dst, raw...), nil
}

func marshalerError(v any, method string, err error) *EncodeError {
	return &EncodeError{Reason: fmt.Sprintf("%T.%s: %v", v, method, err), Err: err}
}
