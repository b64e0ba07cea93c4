package resque_test

import (
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
)

func reserved(t *testing.T, args string) *resque.Payload {
	t.Helper()
	job, err := resque.ParsePayload("exports", []byte(`{"class":"Exporter","args":[`+args+`]}`))
	require.NoError(t, err, args)
	return job
}

func TestBind(t *testing.T) {
	t.Parallel()
	type id int64
	type hash struct {
		ID   id     `json:"id"`
		Note string `json:"note"`
	}
	one := 1
	for _, c := range []struct {
		name, arg string
		target    any // to be filled
		want      any // behind it
	}{
		{"int64", "-9223372036854775808", new(int64), int64(-9223372036854775808)},
		{"named int64", "9223372036854775807", new(id), id(9223372036854775807)},
		{"uint64", "18446744073709551615", new(uint64), uint64(18446744073709551615)},
		{"float", "1.0e+20", new(float64), 1e20},
		{"string", `"h\u00e9\ud83d\ude00\n"`, new(string), "hé😀\n"},
		{"struct, unknown key", ` {"id":7,"note":"x","more":[1]} `, new(hash), hash{7, "x"}},
		{"slice", "[1,2]", new([]int), []int{1, 2}},
		{"any keeps integers exact", "[12345678901234567890,1.0]", new(any), any([]any{json.Number("12345678901234567890"), json.Number("1.0")})},
		{"struct with an integer in any", `{"id":9007199254740993,"opts":[9007199254740993]}`, new(options), options{9007199254740993, []any{json.Number("9007199254740993")}}},
		{"map keeps integers exact", `{"a":{"b":18446744073709551616}}`, new(map[string]any), map[string]any{"a": map[string]any{"b": json.Number("18446744073709551616")}}},
		{"raw", `{"a":1.50}`, new(json.RawMessage), json.RawMessage(`{"a":1.50}`)},
		{"null to any", "null", new(any), any(nil)},
		{"null to pointer", "null", new(*int), (*int)(nil)},
		{"pointer", "1", new(*int), &one},
		{"null to slice", "null", new([]int), []int(nil)},
		{"null to map", "null", new(map[string]any), map[string]any(nil)},
		{"null to raw", "null", new(json.RawMessage), json.RawMessage("null")},
		{"null to its own UnmarshalJSON", "null", new(spoken), spoken("null")},
		{"UTC time", `"2026-01-15 12:34:56 UTC"`, new(time.Time), time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)},
		{"Rails's time", `"2026-01-15T12:34:56.789Z"`, new(time.Time), time.Date(2026, 1, 15, 12, 34, 56, 789e6, time.UTC)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, reserved(t, c.arg).Bind(c.target))
			assert.EqualValues(t, c.want, reflect.ValueOf(c.target).Elem().Interface())
		})
	}
}

// spoken takes any JSON, null included.
type spoken string

func (s *spoken) UnmarshalJSON(text []byte) error {
	*s = spoken(text)
	return nil
}

// nested has structs inside, and a part that decodes itself.
type nested struct {
	Of  map[string][]options `json:"of"`
	Own ownDecoder           `json:"own"`
}

type ownDecoder struct{ N int }

func (o *ownDecoder) UnmarshalJSON(text []byte) error {
	var plain struct {
		N int `json:"n"`
	}
	err := json.Unmarshal(text, &plain)
	o.N = plain.N
	return err
}

// ending fails in the way that a decoder's own end looks like.
type ending struct{}

func (*ending) UnmarshalJSON([]byte) error { return io.EOF }

func TestBindRefuses(t *testing.T) {
	t.Parallel()
	long := `"` + strings.Repeat("é", 40) + `"`
	var own *json.UnmarshalTypeError // with the field that encoding/json names: "own.n", since Go 1.27 "n"
	require.ErrorAs(t, json.Unmarshal([]byte(`{"own":{"n":"x"}}`), new(nested)), &own)
	for _, c := range []struct {
		name, args string
		targets    []any
		says       string
	}{
		{"string for int64", `"abc"`, []any{new(int64)}, `Exporter: argument 1: want int64, got "abc"`},
		{"float for int64", `1.0`, []any{new(int64)}, `Exporter: argument 1: want int64, got 1.0`},
		{"null for int64", `null`, []any{new(int64)}, `Exporter: argument 1: want int64, got null`},
		{"too large", `1,9223372036854775808`, []any{new(int64), new(int64)}, `Exporter: argument 2: want int64, got 9223372036854775808`},
		{"too large for float64", `1e400`, []any{new(float64)}, `Exporter: argument 1: want float64, got 1e400`},
		{"negative for uint", `-1`, []any{new(uint)}, `Exporter: argument 1: want uint, got -1`},
		{"text inside a struct", `{"id":"x"}`, []any{new(options)}, `Exporter: argument 1, field "id": want int64, got "x"`},
		{"in another case", ` { "ID" : 1.5 } `, []any{new(options)}, `Exporter: argument 1, field "ID": want int64, got 1.5`},
		{"the second of two members", `{"id":1,"id":[2]}`, []any{new(options)}, `Exporter: argument 1, field "id": want int64, got [2]`},
		{"deep inside", `{"of":{"a b":[{"id":1},{"id":{}}]}}`, []any{new(nested)}, `Exporter: argument 1, field "of.a b[1].id": want int64, got {}`},
		{"a type that reads itself", `{"of":null,"own":{"n":"x"}}`, []any{new(nested)}, `Exporter: argument 1, field "` + own.Field + `": want int, got string`},
		{"an item", `[1,"x"]`, []any{new([]int)}, `Exporter: argument 1, field "[1]": want int, got "x"`},
		{"a long field", `{"id":` + long + `}`, []any{new(options)}, `Exporter: argument 1, field "id": want int64, got "` + strings.Repeat("é", 29) + `…`},
		{"too large for int8", `300`, []any{new(int8)}, `Exporter: argument 1: want int8, got 300`},
		{"int for string", `1`, []any{new(string)}, `Exporter: argument 1: want string, got 1`},
		{"null for string", `"a",null`, []any{new(string), new(string)}, `Exporter: argument 2: want string, got null`},
		{"null for struct", `null`, []any{new(options)}, `Exporter: argument 1: want resque_test.options, got null`},
		{"array for struct", `[]`, []any{new(options)}, `Exporter: argument 1: want resque_test.options, got []`},
		{"null for time", `null`, []any{new(time.Time)}, `Exporter: argument 1: want time.Time, got null`},
		{"text for time", `"soon"`, []any{new(time.Time)}, `Exporter: argument 1: want time.Time, got "soon"`},
		{"number for time", `1`, []any{new(time.Time)}, `Exporter: argument 1: want time.Time, got 1`},
		{"long text", long, []any{new(int64)}, `Exporter: argument 1: want int64, got "` + strings.Repeat("é", 29) + `…`},
		{"an UnmarshalJSON that ends", `1`, []any{new(ending)}, `Exporter: argument 1: want resque_test.ending, got 1`},
		{"too few", ``, []any{new(int64)}, `Exporter: wrong number of arguments (given 0, expected 1)`},
		{"too many", `1,2`, []any{new(int64)}, `Exporter: wrong number of arguments (given 2, expected 1)`},
		{"any for none", `1`, nil, `Exporter: wrong number of arguments (given 1, expected 0)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := reserved(t, c.args).Bind(c.targets...)
			require.EqualError(t, err, c.says)
			var named interface{ ExceptionName() string }
			require.ErrorAs(t, err, &named)
			assert.Equal(t, "ArgumentError", named.ExceptionName())
		})
	}
	t.Run("wraps the error of the decoder", func(t *testing.T) {
		t.Parallel()
		err := reserved(t, `"abc"`).Bind(new(string), new(string))
		var arity *resque.ArityError
		require.ErrorAs(t, err, &arity)
		err = reserved(t, `1`).Bind(new(string))
		var kind *json.UnmarshalTypeError
		require.ErrorAs(t, err, &kind)
		var argument *resque.ArgumentError
		require.ErrorAs(t, err, &argument)
		assert.Equal(t, 1, argument.Index)
	})
}

// Args that are not an array, as in payloads written by hand, are one argument. Missing args
// are none.
func TestBindOddArgs(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]int{
		`{"class":"A"}`: 0, `{"class":"A","args":null}`: 0, `{"class":"A","args":false}`: 0,
		`{"class":"A","args":5}`: 1, `{"class":"A","args":{"a":1}}`: 1, `{"args":[1,2],"class":"A","more":{}}`: 2,
	} {
		job, err := resque.ParsePayload("q", []byte(payload))
		require.NoError(t, err, payload)
		assert.Len(t, job.Args, want, payload)
	}
}

func TestBindOfAFailedJob(t *testing.T) {
	t.Parallel()
	record := `{"failed_at":"2026/01/15 12:34:56 UTC","payload":{"class":"Exporter","args":[9007199254740993,"csv"]}}`
	job := resque.ParseFailedJob("", 0, []byte(record))
	var (
		id     int64
		format string
	)
	require.NoError(t, job.Bind(&id, &format))
	assert.Equal(t, int64(9007199254740993), id)
	assert.Equal(t, "csv", format)
	require.EqualError(t, job.Bind(&id, &id), `Exporter: argument 2: want int64, got "csv"`)
	require.EqualError(t, job.Bind(&id), "Exporter: wrong number of arguments (given 2, expected 1)")
}
