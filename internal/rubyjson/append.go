package rubyjson

import (
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strconv"
)

// MaxNesting is how many arrays and objects may be open at once.
//
// Ruby: the default max_nesting of JSON.generate and JSON.parse.
const MaxNesting = 100

// EncodeError says why a value has no spelling, and where in it the trouble is.
type EncodeError struct {
	Path   string // from the value that was passed, such as [2].ratio; empty for the value itself
	Reason string // in Ruby's words where Ruby has any
	Err    error  // what the value's own MarshalJSON or MarshalText answered, or nil
}

func (e *EncodeError) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return e.Path + ": " + e.Reason
}

// Unwrap returns the cause, if a marshaler gave one.
func (e *EncodeError) Unwrap() error { return e.Err }

// Append appends v to dst, spelled as plain Ruby spells it. The package comment
// says how Go's types map. On an error, always an [*EncodeError], it returns dst
// as it was.
func Append(dst []byte, v any) ([]byte, error) { return Plain.Append(dst, v) }

// AppendArgs appends a job's arguments as the array of a payload: as [Append],
// but nil is [] and one level of nesting is kept for the object around it.
// Without that, Ruby could not read a payload whose arguments just fit.
func AppendArgs(dst []byte, args []any) ([]byte, error) { return Plain.AppendArgs(dst, args) }

// appendValue writes v below depth open arrays and objects. It knows the common
// types by name: those need neither reflection nor an allocation.
func (p Profile) appendValue(dst []byte, v any, depth int) ([]byte, *EncodeError) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case string:
		return p.appendString(dst, v)
	case bool:
		return strconv.AppendBool(dst, v), nil
	case float64:
		return p.appendFloat(dst, v, 64)
	case []any:
		return p.appendSlice(dst, v, depth)
	case map[string]any:
		return p.appendMap(dst, v, depth)
	}
	if out, ok := appendInteger(dst, v); ok {
		return out, nil
	}
	return p.appendNamed(dst, v, depth)
}

func appendInteger(dst []byte, v any) (out []byte, ok bool) {
	switch v := v.(type) {
	case int:
		return strconv.AppendInt(dst, int64(v), 10), true
	case int8:
		return strconv.AppendInt(dst, int64(v), 10), true
	case int16:
		return strconv.AppendInt(dst, int64(v), 10), true
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), true
	case int64:
		return strconv.AppendInt(dst, v, 10), true
	case uint:
		return strconv.AppendUint(dst, uint64(v), 10), true
	case uint8:
		return strconv.AppendUint(dst, uint64(v), 10), true
	case uint16:
		return strconv.AppendUint(dst, uint64(v), 10), true
	case uint32:
		return strconv.AppendUint(dst, uint64(v), 10), true
	case uint64:
		return strconv.AppendUint(dst, v, 10), true
	}
	return dst, false
}

// appendNamed writes the types whose spelling is not that of their kind. The
// test for them, isNamed, must name the same ones.
func (p Profile) appendNamed(dst []byte, v any, depth int) ([]byte, *EncodeError) {
	switch v := v.(type) {
	case json.RawMessage:
		if v == nil { // as in encoding/json
			return append(dst, "null"...), nil
		}
		return splice(dst, v, depth)
	case json.Number:
		return appendNumber(dst, v)
	case big.Int:
		return v.Append(dst, 10), nil
	}
	return p.appendReflect(dst, v, depth)
}

func (p Profile) appendSlice(dst []byte, vs []any, depth int) ([]byte, *EncodeError) {
	if vs == nil {
		return append(dst, "null"...), nil
	}
	depth, err := nest(depth)
	if err != nil {
		return dst, err
	}
	dst = append(dst, '[')
	for i, v := range vs {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = p.appendValue(dst, v, depth); err != nil {
			return dst, err.inIndex(i)
		}
	}
	return append(dst, ']'), nil
}

func (p Profile) appendMap(dst []byte, m map[string]any, depth int) ([]byte, *EncodeError) {
	if m == nil {
		return append(dst, "null"...), nil
	}
	depth, err := nest(depth)
	if err != nil {
		return dst, err
	}
	dst = append(dst, '{')
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if dst, err = p.appendKey(dst, key, i); err != nil {
			return dst, err
		}
		if dst, err = p.appendValue(dst, m[key], depth); err != nil {
			return dst, err.inKey(key)
		}
	}
	return append(dst, '}'), nil
}
