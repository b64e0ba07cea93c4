package rubyjson

import "reflect"

// Field is a member of a struct's JSON, as its tags define it.
type Field struct{ f *field }

// Fields returns the members of a struct type in their order.
func Fields(t reflect.Type) []Field {
	fields := typeOf(t).fields
	list := make([]Field, len(fields))
	for i := range fields {
		list[i] = Field{&fields[i]}
	}
	return list
}

// Name returns the member's name in JSON.
func (f Field) Name() string { return f.f.name }

// In returns the field f of v, a struct of the type that was passed to [Fields].
// ok is false if an embedded pointer on the path to the field is nil, or if the
// field's tag omits the value.
func (f Field) In(v reflect.Value) (field reflect.Value, ok bool) {
	field, ok = f.f.value(v)
	return field, ok && !f.f.omits(field)
}

// Of returns the field f of v for setting it. v must be addressable. Of allocates
// nil embedded pointers on the path to the field. ok is false if a pointer or the
// field cannot be set.
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

// HasOwnJSON reports whether values of type t are not written as their kind is:
// they have an AppendRuby, MarshalJSON or MarshalText method, or t is big.Int,
// json.Number or json.RawMessage.
func HasOwnJSON(t reflect.Type) bool { return typeOf(t).shape != plain }
