package rubyjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type point struct {
	X, Y int
}

type (
	celsius int // MarshalText is a method of the pointer
	secret  struct{ v string }
	refuses struct{}
	words   []string
	color   byte
	label   string
	loop    *loop
)

func (c *celsius) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d°C", int(*c)), nil }
func (s secret) MarshalJSON() ([]byte, error)   { return []byte(s.v), nil }
func (refuses) MarshalJSON() ([]byte, error)    { return nil, errRefused }
func (refuses) MarshalText() ([]byte, error)    { return nil, errRefused }
func (w words) MarshalText() ([]byte, error)    { return []byte(strings.Join(w, " ")), nil }
func (c color) MarshalText() ([]byte, error)    { return strconv.AppendInt(nil, int64(c), 16), nil }

var errRefused = errors.New("no thanks")

func TestAppend(t *testing.T) {
	t.Parallel()
	n, text, noon := 7, "x", time.Date(2026, 1, 15, 12, 34, 56, 789, time.UTC)
	hot := celsius(30)
	tests := []struct {
		name string
		v    any
		want string
	}{
		{"small integers", []any{int8(-8), int16(-16), int32(-32), uint8(8), uint16(16), uint32(32), uintptr(9)}, `[-8,-16,-32,8,16,32,9]`},
		{"largest integers", []any{int64(math.MinInt64), uint64(math.MaxUint64)}, `[-9223372036854775808,18446744073709551615]`},
		{"float32 keeps its own digits", []float32{0.1, 1e15, 1e-4, 1e20, 16777216, 9.9e-5}, `[0.1,1.0e+15,0.0001,1.0e+20,16777216.0,9.9e-05]`},
		{"floats with a fraction need no exponent", []float64{1043518411955420.9, -1000000000000000.1, 4503599627370495.5, 4503599627370497}, `[1043518411955420.9,-1000000000000000.1,4503599627370495.5,4.503599627370497e+15]`},
		{"named kinds", []any{label("<l>"), time.Second}, `["<l>",1000000000]`},
		{"pointers", []any{&n, &text, (*string)(nil), new(any), &hot}, `[7,"x",null,null,"30°C"]`},
		{"a pointer to an interface", pointerTo[any](&n), `7`},
		{"nil slices and maps are null", []any{[]int(nil), []any(nil), map[string]int(nil), object(nil), json.RawMessage(nil)}, `[null,null,null,null,null]`},
		{"bytes are base64", []any{[]byte("hi"), []byte{}, []byte(nil), [2]byte{1, 2}}, `["aGk=","",null,[1,2]]`},
		{"bytes with a marshaler are not", []color{10, 255}, `["a","ff"]`},
		{"map keys are sorted", map[string]any{"b": 1, "a": 2, "<": 3}, `{"<":3,"a":2,"b":1}`},
		{"integer keys are sorted as text", map[int]string{10: "x", 9: "y", -1: "z"}, `{"-1":"z","10":"x","9":"y"}`},
		{"other keys", []any{map[uint8]int{1: 2}, map[label]int{"l": 1}, map[color]int{16: 1}}, `[{"1":2},{"l":1},{"10":1}]`},
		{"big integers", []any{bigInt("123456789012345678901"), *bigInt("-1"), (*big.Int)(nil)}, `[123456789012345678901,-1,null]`},
		{"numbers keep their spelling", []json.Number{"1.50", "1e400", "-0", ""}, `[1.50,1e400,-0,0]`},
		{"raw is spliced", []any{json.RawMessage(` {"a" : 1} `), []json.RawMessage{[]byte("1e2")}}, `[ {"a" : 1} ,[1e2]]`},
		{"a marshaler is spliced", []any{secret{`[1, "<"]`}, &secret{`2`}, (*secret)(nil)}, `[[1, "<"],2,null]`},
		{"a text marshaler", []any{words{"a", "<b>"}, map[string]words{"k": {"c"}}}, `["a <b>",{"k":"c"}]`},
		{"a method on the pointer needs an address", []any{hot, []celsius{1}, &struct{ C celsius }{2}, struct{ C celsius }{3}}, `[30,["1°C"],{"C":"2°C"},{"C":3}]`},
		{
			"times",
			[]any{&noon, []time.Time{noon}, struct{ At time.Time }{noon}},
			`["2026-01-15T12:34:56.000000789Z",["2026-01-15T12:34:56.000000789Z"],{"At":"2026-01-15T12:34:56.000000789Z"}]`,
		},
		{"a time in a struct with methods", struct{ time.Time }{noon}, `"2026-01-15T12:34:56.000000789Z"`},
		{"structs", []any{point{1, 2}, &point{3, 4}, struct{}{}}, `[{"X":1,"Y":2},{"X":3,"Y":4},{}]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := Append([]byte("dst "), test.v)
			require.NoError(t, err)
			assert.Equal(t, "dst "+test.want, string(got))
			require.NoError(t, Valid(got[4:]))
		})
	}
}

func TestAppendErrors(t *testing.T) {
	t.Parallel()
	cycle := []any{nil}
	cycle[0] = cycle
	ring := map[string]any{}
	ring["next"] = &ring
	var self loop
	self = &self
	deep := "nesting of 100 is too deep"
	tests := []struct {
		name         string
		v            any
		path, reason string
	}{
		{"the value itself", math.NaN(), "", "NaN not allowed in JSON"},
		{"inside", []any{1, 2, object{"ratio": math.Inf(-1)}}, "[2].ratio", "-Infinity not allowed in JSON"},
		{"float32", []float32{1, float32(math.Inf(1))}, "[1]", "Infinity not allowed in JSON"},
		{"the path has a field's JSON name", []any{struct {
			R []any `json:"ratio"`
		}{[]any{map[int]float64{7: math.NaN()}}}}, "[0].ratio[0].7", "NaN not allowed in JSON"},
		{"an odd key", object{"a b": func() {}}, `["a b"]`, "unsupported type func()"},
		{"an empty key", object{"": 1i}, `[""]`, "unsupported type complex128"},
		{"chan", []any{make(chan int)}, "[0]", "unsupported type chan int"},
		{"map key type", []any{map[float64]int{1: 1}}, "[0]", "unsupported map key type float64"},
		{"not UTF-8", []string{"ok", "\xff"}, "[1]", "source sequence is illegal/malformed utf-8"},
		{"a key that is not UTF-8", object{"\xff": 1}, `["\xff"]`, "source sequence is illegal/malformed utf-8"},
		{"number", []any{json.Number("0x10")}, "[0]", `invalid number "0x10"`},
		{"number with trailing text", json.Number("1 "), "", `invalid number "1 "`},
		{"number without digits", json.Number("-"), "", `invalid number "-"`},
		{"raw", object{"r": json.RawMessage(`[1,]`)}, ".r", "invalid JSON at byte 3: unexpected ']', want a value"},
		{"empty raw", json.RawMessage{}, "", "invalid JSON at byte 0: unexpected end, want a value"},
		{"raw with a lone surrogate", json.RawMessage(`"\ud83d"`), "", "invalid JSON at byte 1: lone surrogate in a string"},
		{"marshaler wrote invalid JSON", []any{secret{`{`}}, "[0]", "invalid JSON at byte 1: unexpected end, want a string"},
		{"marshaler failed", object{"a": refuses{}}, ".a", "rubyjson.refuses.MarshalJSON: no thanks"},
		{"marshaler of a key failed", object{"a": map[refuses]int{{}: 1}}, ".a", "rubyjson.refuses.MarshalText: no thanks"},
		{"text not UTF-8", words{"\xff"}, "", "source sequence is illegal/malformed utf-8"},
		{"a slice that contains itself", cycle, strings.Repeat("[0]", 100), deep},
		{"a map that contains itself", ring, strings.Repeat(".next", 100), deep},
		{"a pointer to itself", []any{self}, "[0]", deep},
		{"raw that is too deep inside other arrays", in{in{json.RawMessage(nested(99))}}, "[0][0]", "invalid JSON at byte 98: nesting of 101 is too deep"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := Append([]byte("dst"), test.v)
			var encodeErr *EncodeError
			ok := errors.As(err, &encodeErr)
			require.True(t, ok, "%v", err)
			assert.Equal(t, test.path, encodeErr.Path)
			assert.Equal(t, test.reason, encodeErr.Reason)
			assert.Equal(t, "dst", string(got))
			want := test.reason
			if test.path != "" {
				want = test.path + ": " + test.reason
			}
			require.EqualError(t, err, want)
		})
	}
}

func TestEncodeErrorUnwraps(t *testing.T) {
	t.Parallel()
	_, err := Append(nil, []any{refuses{}})
	require.ErrorIs(t, err, errRefused)
	_, err = AppendArgs(nil, []any{1, json.RawMessage("x")})
	assert.ErrorAs(t, err, new(*SyntaxError))
}

// The limit counts the object and the array around an argument, also if the
// argument is raw JSON.
func TestAppendArgsCountsThePayloadsLevels(t *testing.T) {
	t.Parallel()
	for n, fits := range map[int]bool{98: true, 99: false} {
		_, err := AppendArgs(nil, []any{json.RawMessage(nested(n))})
		assert.Equal(t, fits, err == nil, n)
		_, err = Append(nil, []any{json.RawMessage(nested(n))})
		assert.NoError(t, err, n)
	}
}

func TestAppendString(t *testing.T) {
	t.Parallel()
	got, err := AppendString([]byte("x"), "é\x00/<\u2028\"\\")
	require.NoError(t, err)
	assert.Equal(t, "x\"é\\u0000/<\u2028\\\"\\\\\"", string(got))
	got, err = AppendString([]byte("x"), "a\xc3")
	require.EqualError(t, err, "source sequence is illegal/malformed utf-8")
	assert.Equal(t, "x", string(got))
}

//nolint:paralleltest // AllocsPerRun also counts the allocations of other tests
func TestNoAllocations(t *testing.T) {
	dst := make([]byte, 0, 512)
	args := []any{"an \"escaped\" é", 123456, int64(-1), uint8(200), true, nil, 1.5e-7, []any{"x"}, json.Number("1.5")}
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = AppendArgs(dst, args) }))
	raw := []byte(`{"class":"\u00e9","args":[1,-2.5e3,"x",{"a":[null,true,false]}]}`)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = Valid(raw) }))
	raw = []byte(`{"class":"Exporter","args":[42]}`)
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = ParsePayload(raw) }), 2.0)
}

func pointerTo[T any](v T) *T { return &v }

// sameAsStd compares with encoding/json, for rules that Ruby does not have: tags,
// embedded structs, omitted fields.
func sameAsStd(t *testing.T, v any) {
	t.Helper()
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	require.NoError(t, encoder.Encode(v))
	got, err := Append(nil, v)
	require.NoError(t, err)
	assert.Equal(t, strings.TrimSpace(want.String()), string(got), reflect.TypeOf(v).String())
}
