package rubyjson

import "reflect"

// Field is a member that a struct has as JSON, by its tags.
type Field struct{ f *field }

// Fields lists the members of a struct type in their order.
func Fields(t reflect.Type) []Field {
	fields := typeOf(t).fields
	list := make([]Field, len(fields))
	for i := range fields {
		list[i] = Field{&fields[i]}
	}
	return list
}

// Name is the member's name in JSON.
func (f Field) Name() string { return f.f.name }

// In is the field of v, a struct of the type that f was listed for. ok is false
// where v does not have it, or is to leave it out.
func (f Field) In(v reflect.Value) (field reflect.Value, ok bool) {
	field, ok = f.f.value(v)
	return field, ok && !f.f.omits(field)
}

// Of is the field of v to be set, which must be addressable. Embedded pointers
// on the way to it are filled. ok is false where one cannot be.
func (f Field) Of(v reflect.Value) (field reflect.Value, ok bool) {
	for _, i := range f.f.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				if !v.CanSet() {
					return v, false
				}
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v, v.CanSet()
}

// HasOwnJSON tells whether the values of a type write themselves: by MarshalJSON
// or MarshalText, or as numbers that have no kind in Go.
func HasOwnJSON(t reflect.Type) bool { return typeOf(t).shape != plain }
