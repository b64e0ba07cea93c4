package resquetest

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"slices"
)

// sameArgs reports whether two lists of arguments are equal as JSON values.
func sameArgs(a, b []json.RawMessage) bool {
	return slices.EqualFunc(a, b, func(a, b json.RawMessage) bool {
		x, okX := read(a)
		y, okY := read(b)
		if !okX || !okY { // Ruby can read it and Go cannot
			return bytes.Equal(a, b)
		}
		return same(x, y)
	})
}

func read(raw json.RawMessage) (v any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil, false
	}
	_, err := d.Token()
	return v, err == io.EOF
}

func same(x, y any) bool {
	switch x := x.(type) {
	case json.Number:
		y, ok := y.(json.Number)
		return ok && sameNumber(x, y)
	case []any:
		y, ok := y.([]any)
		return ok && slices.EqualFunc(x, y, same)
	case map[string]any:
		y, ok := y.(map[string]any)
		return ok && maps.EqualFunc(x, y, same)
	default:
		return x == y
	}
}

// sameNumber compares values: a test may pass 1 for a float64, which is encoded as 1.0.
func sameNumber(x, y json.Number) bool {
	if x == y {
		return true
	}
	a, okA := number(x)
	b, okB := number(y)
	return okA && okB && a.Cmp(b) == 0
}

func number(n json.Number) (*big.Float, bool) {
	const bits = 2048 // some 600 digits
	return new(big.Float).SetPrec(bits).SetString(n.String())
}
