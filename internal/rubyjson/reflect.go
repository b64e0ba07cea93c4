package rubyjson

import (
	"encoding/base64"
	"reflect"
	"strconv"
)

// appendReflect writes the types that are not in appendValue's type switch.
func (p Profile) appendReflect(dst []byte, v any, depth int) ([]byte, *EncodeError) {
	return p.appendAny(dst, reflect.ValueOf(v), depth)
}

func (p Profile) appendAny(dst []byte, v reflect.Value, depth int) ([]byte, *EncodeError) {
	// A pointer adds no level to the text. The loop is bounded because a pointer
	// may point to itself.
	for range MaxNesting {
		if isNilRef(v) {
			return append(dst, "null"...), nil
		}
		if v.Kind() != reflect.Interface {
			if s := shapeOf(v); s != plain && v.CanInterface() {
				return p.appendShaped(dst, v, s, depth)
			}
			if v.Kind() != reflect.Pointer {
				return p.appendKind(dst, v, depth)
			}
		}
		v = v.Elem()
	}
	return dst, errTooDeep()
}

func isNilRef(v reflect.Value) bool {
	return (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && v.IsNil()
}

func (p Profile) appendKind(dst []byte, v reflect.Value, depth int) ([]byte, *EncodeError) {
	switch v.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return strconv.AppendUint(dst, v.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return p.appendFloat(dst, v.Float(), v.Type().Bits())
	case reflect.String:
		return p.appendString(dst, v.String())
	case reflect.Slice:
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		if isBytes(v.Type()) {
			dst = append(dst, '"')
			dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
			return append(dst, '"'), nil
		}
		return p.appendItems(dst, v, depth)
	case reflect.Array:
		return p.appendItems(dst, v, depth)
	case reflect.Map:
		return p.appendMembers(dst, v, depth)
	case reflect.Struct:
		return p.appendStruct(dst, v, depth)
	default:
		return dst, &EncodeError{Reason: "unsupported type " + v.Type().String()}
	}
}

// isBytes reports whether encoding/json writes a slice of type t in base64. It
// does not if the elements have marshalers.
func isBytes(t reflect.Type) bool {
	return t.Elem().Kind() == reflect.Uint8 && typeOf(t.Elem()).addressed == plain
}

func (p Profile) appendItems(dst []byte, v reflect.Value, depth int) ([]byte, *EncodeError) {
	depth, err := nest(depth)
	if err != nil {
		return dst, err
	}
	dst = append(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = p.appendAny(dst, v.Index(i), depth); err != nil {
			return dst, err.inIndex(i)
		}
	}
	return append(dst, ']'), nil
}

func (p Profile) appendStruct(dst []byte, v reflect.Value, depth int) ([]byte, *EncodeError) {
	depth, err := nest(depth)
	if err != nil {
		return dst, err
	}
	dst = append(dst, '{')
	n := 0
	for _, f := range typeOf(v.Type()).fields {
		fv, ok := f.value(v)
		if !ok || f.omits(fv) {
			continue
		}
		if dst, err = p.appendKey(dst, f.name, n); err != nil {
			return dst, err
		}
		n++
		if f.quoted {
			dst, err = p.appendQuoted(dst, fv, depth)
		} else {
			dst, err = p.appendAny(dst, fv, depth)
		}
		if err != nil {
			return dst, err.inKey(f.name)
		}
	}
	return append(dst, '}'), nil
}

// appendQuoted writes a scalar inside a string, for the tag option "string".
func (p Profile) appendQuoted(dst []byte, v reflect.Value, depth int) ([]byte, *EncodeError) {
	start := len(dst)
	dst, err := p.appendAny(dst, v, depth)
	if err != nil || isNilRef(v) {
		return dst, err
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if s := shapeOf(v); s == appender || s == marshaler || s == textMarshaler {
		return dst, nil // a value that writes itself is not quoted
	}
	return p.appendString(dst[:start], string(dst[start:]))
}
