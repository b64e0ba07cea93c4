package rubyjson

import (
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strconv"
)

// MaxNesting is the largest number of arrays and objects that may be open at
// once.
//
// Ruby: the default max_nesting of JSON.generate and JSON.parse.
const MaxNesting = 100

// EncodeError describes a value that cannot be written as JSON.
type EncodeError struct {
	Path   string // from the value that was passed, such as [2].ratio; empty for the value itself
	Reason string // the message of Ruby's exception, if Ruby raises one
	Err    error  // the error of the value's own marshaler, or of the syntax check; may be nil
}

func (e *EncodeError) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return e.Path + ": " + e.Reason
}

// Unwrap returns e.Err.
func (e *EncodeError) Unwrap() error { return e.Err }

// Append appends v to dst as plain Ruby spells it and returns the extended slice.
// The package comment lists how Go's types are written. If it fails, it returns
// dst unchanged and an [*EncodeError].
func Append(dst []byte, v any) ([]byte, error) { return Plain.Append(dst, v) }

// AppendArgs appends a job's arguments as the args array of a payload. It works
// as [Append], except that nil is written as [] and the payload's object counts
// as one level of nesting. If it did not count, arguments at the limit would make
// a payload that Ruby cannot read.
func AppendArgs(dst []byte, args []any) ([]byte, error) { return Plain.AppendArgs(dst, args) }

// appendValue writes v, which is inside depth open arrays and objects. Its type
// switch has the common types, so that they need neither reflection nor an
// allocation.
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

// appendNamed writes the types that are not written as their kind is. It must
// list the same types as isNamed.
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
