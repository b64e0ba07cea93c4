package rubyjson

import (
	"cmp"
	"encoding"
	"reflect"
	"slices"
	"strconv"
)

type member struct {
	key   string
	value reflect.Value
}

// appendMembers writes a map, sorted by the text of its keys, so that equal maps
// have equal bytes in every process.
func (p Profile) appendMembers(dst []byte, v reflect.Value, depth int) ([]byte, *EncodeError) {
	if v.IsNil() {
		return append(dst, "null"...), nil
	}
	depth, err := nest(depth)
	if err != nil {
		return dst, err
	}
	members := make([]member, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		key, err := keyText(it.Key())
		if err != nil {
			return dst, err
		}
		members = append(members, member{key, it.Value()})
	}
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.key, b.key) })
	dst = append(dst, '{')
	for i, m := range members {
		if dst, err = p.appendKey(dst, m.key, i); err != nil {
			return dst, err
		}
		if dst, err = p.appendAny(dst, m.value, depth); err != nil {
			return dst, err.inKey(m.key)
		}
	}
	return append(dst, '}'), nil
}

// keyText returns the text of a key, as Ruby's to_s does, for the types of keys
// that encoding/json allows.
func keyText(k reflect.Value) (string, *EncodeError) {
	if k.Kind() == reflect.String {
		return k.String(), nil
	}
	if k.CanInterface() {
		switch key := k.Interface().(type) {
		case encoding.TextMarshaler:
			if isNilRef(k) {
				return "", nil // Ruby: nil.to_s
			}
			text, err := key.MarshalText()
			if err != nil {
				return "", marshalerError(key, "MarshalText", err)
			}
			return string(text), nil
		}
	}
	switch {
	case k.CanInt():
		return strconv.FormatInt(k.Int(), 10), nil
	case k.CanUint():
		return strconv.FormatUint(k.Uint(), 10), nil
	}
	return "", &EncodeError{Reason: "unsupported map key type " + k.Type().String()}
}
