package rubyjson

import "reflect"

func (f *field) omits(v reflect.Value) bool {
	return f.omitEmpty && isEmpty(v) || f.omitZero && isZero(v)
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct, reflect.Chan, reflect.Func:
		return false
	default:
		return v.IsZero()
	}
}

// isZero calls the value's IsZero method if it has one, as encoding/json does. A
// time.Time, for example, may be the zero time although its location is set.
func isZero(v reflect.Value) bool {
	type zeroer interface{ IsZero() bool }
	ask := reflect.TypeFor[zeroer]()
	switch {
	case isNilRef(v) || v.Kind() == reflect.Interface && isNilRef(v.Elem()):
		return true
	case !v.CanInterface():
		return v.IsZero()
	case v.Type().Implements(ask):
		return v.Interface().(zeroer).IsZero()
	case reflect.PointerTo(v.Type()).Implements(ask):
		p := reflect.New(v.Type()) // v itself may have no address
		p.Elem().Set(v)
		return p.Interface().(zeroer).IsZero()
	}
	return v.IsZero()
}
