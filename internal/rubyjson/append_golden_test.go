package rubyjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// in is the arguments that a Go user passes for a Ruby user's expression.
type in []any

type object = map[string]any

// rubyValues maps the expressions of encode-plain.jsonl to Go values.
func rubyValues() map[string]in {
	noon := time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)
	return map[string]in{
		"": nil, "**{}": nil, "*[]": {},
		"1": {1}, "-1": {int8(-1)}, "0": {0}, "-0": {0}, "1_000_000": {uint32(1_000_000)},
		"9223372036854775807": {int64(math.MaxInt64)}, "9223372036854775808": {uint64(1 << 63)},
		"-9223372036854775809": {bigInt("-9223372036854775809")},
		"2**64":                {bigInt("18446744073709551616")},
		"10**30":               {*bigInt("1000000000000000000000000000000")},
		"9007199254740993":     {9007199254740993},

		"0.0": {0.0}, "-0.0": {math.Copysign(0, -1)}, "1.0": {1.0}, "1.5": {1.5}, "100.0": {100.0},
		"0.1": {0.1}, "0.1+0.2": {math.Nextafter(0.3, 1)}, "1/3.0": {1 / 3.0}, "2.0/3": {2.0 / 3},
		"1e2": {1e2}, "1e14": {1e14}, "123456789012345.0": {123456789012345.0}, "1e15": {1e15},
		"999999999999999.9": {999999999999999.9}, "1234567890123456.0": {1234567890123456.0},
		"1e16": {1e16}, "12345678901234567.0": {12345678901234567.0}, "1e17": {1e17}, "1e20": {1e20},
		"1e21": {1e21}, "1e22": {1e22}, "1e23": {1e23}, "1e100": {1e100}, "1.5e300": {1.5e300},
		"1.7976931348623157e308": {math.MaxFloat64}, "5e-324": {math.SmallestNonzeroFloat64},
		"2.2250738585072014e-308": {2.2250738585072014e-308}, "1e-1": {1e-1}, "1e-2": {1e-2},
		"1e-3": {1e-3}, "1e-4": {1e-4}, "0.00012345": {0.00012345}, "1e-5": {1e-5}, "1.5e-5": {1.5e-5},
		"1e-6": {1e-6}, "1e-7": {1e-7}, "1.23456789e-7": {1.23456789e-7}, "1e-10": {1e-10},
		"3.141592653589793": {math.Pi}, "1768480496.789012": {1768480496.789012}, "4.35": {4.35},
		"0.3": {float32(0.3)}, "2.5e-5": {float32(2.5e-5)}, "9007199254740993.0": {9007199254740993.0},
		"123456.789e3": {123456.789e3},
		"Float::NAN":   {math.NaN()}, "Float::INFINITY": {math.Inf(1)}, "-Float::INFINITY": {math.Inf(-1)},
		"[Float::NAN]": {[]float64{math.NaN()}}, "{a: Float::INFINITY}": {object{"a": math.Inf(1)}},

		"nil": {nil}, "true": {true}, "false": {false}, "nil, nil": {nil, (*int)(nil)},
		"{}": {object{}}, "[]": {[]int{}}, "[[]]": {[]any{[]any{}}}, "[{}]": {[]struct{}{{}}},
		"{a: {}}": {object{"a": struct{}{}}},
		"{a: 1, \"b\" => 2}": {struct {
			A int `json:"a"`
			B int `json:"b"`
		}{1, 2}},
		"{\"b\" => 1, \"a\" => 2}": {struct {
			B int `json:"b"`
			A int `json:"a"`
		}{1, 2}},
		"{b: 1, a: 2, 1 => 3}": {struct {
			B   int `json:"b"`
			A   int `json:"a"`
			One int `json:"1"`
		}{1, 2, 3}},
		"{\"a\" => 1, a: 2}": {json.RawMessage(`{"a":1,"a":2}`)},
		"{1 => 2}":           {map[int]int{1: 2}}, "{1.5 => 2}": {map[string]int{"1.5": 2}},
		"{nil => 1}": {object{"": 1}}, "{true => 1}": {object{"true": 1}},
		"{:\"a b\" => 1}": {object{"a b": 1}}, "{[1,2] => 3}": {object{"[1, 2]": 3}},
		"{{x: 1} => 2}":                       {object{"{:x=>1}": 2}},
		"{Time.utc(2026,1,15,12,34,56) => 1}": {map[string]int{noon.Format("2006-01-02 15:04:05 MST"): 1}},
		"{\"\" => \"\"}":                      {object{"": ""}}, "{\"é<>&\" => 1}": {object{"é<>&": 1}},
		"{J => 1}": {object{"J": 1}}, "k: 1": {object{"k": 1}}, "1, k: 1, \"s\" => 2": {1, object{"k": 1, "s": 2}},
		"*[1, 2]": {1, 2}, "[1, [2, [3, [4]]]]": {in{1, in{2, in{3, in{4}}}}},
		"1, \"two\", 3.0, nil, true, [4], {five: 5}": {1, "two", 3.0, nil, true, [1]int{4}, object{"five": 5}},
		"Struct.new(:a, keyword_init: true).new(a: 1).to_h": {&struct {
			A int `json:"a"`
		}{1}},

		"Time.utc(2026,1,15,12,34,56)":                {noon.Format("2006-01-02 15:04:05 MST")},
		"Time.utc(2026,1,15,12,34,56.789r)":           {noon.Add(789 * time.Millisecond).Format("2006-01-02 15:04:05 MST")},
		"Time.new(2026,1,15,12,34,56,\"-05:00\")":     {noon.In(time.FixedZone("", -5*3600)).Add(5 * time.Hour).Format("2006-01-02 15:04:05 -0700")},
		"Time.at(1768480496, 789012345, :nsec).utc":   {time.Unix(1768480496, 789012345).UTC().Format("2006-01-02 15:04:05 MST")},
		"DateTime.new(2026,1,15,12,34,56.789r)":       {noon.Format("2006-01-02T15:04:05-07:00")},
		"DateTime.new(2026,1,15,12,34,56,\"+02:00\")": {"2026-01-15T12:34:56+02:00"},
		"Date.new(2026,1,15)":                         {noon.Format(time.DateOnly)},
		"Time.utc(2026,1,15,12,34,56).iso8601":        {noon.Format(time.RFC3339)},
		"\"caf\\xE9\"":                                {"caf\xE9"},
		"\"\\xFF\"":                                   {"\xFF"},
		"\"ok\\xC3\"":                                 {"ok\xC3"},
		"\"\\xED\\xA0\\x80\"":                         {"\xED\xA0\x80"},
		"\"\\xFF\\xFE\".b":                            {string([]byte{0xFF, 0xFE})},
		"RuntimeError.new(\"boom\")":                  {errors.New("boom").Error()},
		"Rational(1, 3)":                              {big.NewRat(1, 3)},
		"3r":                                          {big.NewRat(3, 1).String()},
		"WithToJson.new":                              {withToJSON{}},
		"Opaque.new":                                  {opaque{}},
		"Class.new.new.class.name":                    {nil},
		"\"abc\".b":                                   {"abc"},
		"\"a\"*5":                                     {strings.Repeat("a", 5)},
		"Resque.enqueue_to(:j, Mod::Inner, 1)":        {1},
		"Resque.enqueue_to(:j, J, 1)":                 {1},
		"Resque::Job.create(:j, 'Some::Name', 1)":     {1},
		"\"\"": {""}, "\"abc\"": {"abc"}, "\"a\\\"b\"": {`a"b`}, "\"a\\\\b\"": {`a\b`},
		"\"a/b\"": {"a/b"}, "\"</script>\"": {"</script>"}, "\"<>&\"": {"<>&"}, "\"'\"": {"'"}, "\"`\"": {"`"},
		"\"a\\nb\\tc\\rd\"": {"a\nb\tc\rd"}, "\"\\b\\f\"": {"\b\f"}, "\"\\x00\\x01\\x1f\"": {"\x00\x01\x1f"},
		"\"\\e\"": {"\x1b"}, "\"\\x7f\"": {"\x7f"}, "\"\\u0080\\u009f\"": {"\u0080\u009f"}, "\"\\u00a0\"": {"\u00a0"},
		"\"é\"": {"é"}, "\"e\\u0301\"": {"e\u0301"}, "\"日本語\"": {"日本語"}, "\"😀\"": {"😀"},
		"\"\\u{10FFFF}\"": {"\U0010FFFF"}, "\"\\u2028\\u2029\"": {"\u2028\u2029"}, "\"\\uFEFF\"": {"\uFEFF"},
		"\"\\uFFFD\"": {"\uFFFD"}, "\"\\uFFFE\"": {"\uFFFE"}, "\"𝄞 & <b>\"": {"𝄞 & <b>"},
		"\"caf\\xC3\\xA9\".b": {"caf\xC3\xA9"},
		":sym":                {"sym"}, ":\"with space\"": {"with space"}, "[:a, :b]": {[]string{"a", "b"}},
		"{a: :b}": {map[string]string{"a": "b"}},
	}
}

// rubyOnly returns the expressions whose values have no equivalent in Go, with the
// reason. Ruby enqueues a string for them; a Go user who needs the same bytes
// passes that string.
func rubyOnly() map[string]string {
	const (
		number   = "Go has no such number"
		encoding = "Go's strings are UTF-8 already"
		toS      = "an object without to_json is written as its to_s"
		constant = "a constant is written as its name"
	)
	return map[string]string{
		"Complex(1, 2)": number, "BigDecimal(\"1.10\")": number, "BigDecimal(\"1e-20\")": number,
		"BigDecimal(\"12345678901234567890.5\")": number, "BigDecimal(\"NaN\")": number,
		"\"é\".encode(\"ISO-8859-1\")": encoding, "\"é\".encode(\"UTF-16LE\")": encoding,
		"\"é\".encode(\"UTF-16BE\")": encoding, "\"日本\".encode(\"Shift_JIS\")": encoding,
		"\"日本\".encode(\"EUC-JP\")": encoding, "\"abc\".encode(\"US-ASCII\")": encoding,
		"\"frozen\".freeze": "Go's strings are frozen already",
		"1..3":              toS, "1...3": toS, "\"a\"..\"z\"": toS, "(1..)": toS, "Set.new([1,2])": toS,
		"OpenStruct.new(a: 1)": toS, "Point.new(1,2)": toS, "WithToH.new": toS, "/re<g>ex/i": toS,
		"Encoding::UTF_8": toS, "[1,2].each_slice(1)": toS,
		"Object": constant, "J": constant, "Mod::Inner": constant, "Kernel": constant, "Comparable": constant,
		"->{}.class": constant, "1.method(:+).class": constant, "(1..3).each.class": constant,
		"ENV.class": constant, "%w[a b].to_enum.class": constant,
		"Process.clock_gettime(Process::CLOCK_REALTIME, :second).class": constant,
	}
}

// notArgs returns the lines whose payload is not just a class and its arguments.
func notArgs() map[string]any {
	type extra struct {
		Class string `json:"class"`
		Args  []any  `json:"args"`
		Extra bool   `json:"extra"`
	}
	return map[string]any{
		"Resque.push('j', {'class' => 'X', 'args' => [1], 'extra' => true})": extra{"X", []any{1}, true},
		"Resque.push('j', 'a string')":                                       "a string",
	}
}

type withToJSON struct{}

func (withToJSON) MarshalJSON() ([]byte, error) { return []byte(`{"raw" : true}`), nil }

type opaque struct{}

func (opaque) MarshalText() ([]byte, error) { return []byte("opaque"), nil }

func bigInt(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic(s)
	}
	return n
}

func TestAppendMatchesRecordedRuby(t *testing.T) {
	t.Parallel()
	values, only, whole := rubyValues(), rubyOnly(), notArgs()
	lines := readGolden(t, "testdata/encode-plain.jsonl")
	for _, stale := range slices.Concat(keys(values), keys(only), keys(whole)) {
		assert.True(t, slices.ContainsFunc(lines, func(g golden) bool { return g.Ruby == stale }), "encode-plain.jsonl has no line for %s", stale)
	}
	var n tally
	for _, g := range lines {
		n.add(Plain, g)
		t.Run(g.Ruby, func(t *testing.T) {
			t.Parallel()
			if strings.HasSuffix(g.Ruby, " nested arrays") {
				sameNesting(t, Plain, g)
				return
			}
			if v, ok := whole[g.Ruby]; ok {
				got, err := Append(nil, v)
				require.NoError(t, err)
				assert.Equal(t, g.Payload, string(got))
				return
			}
			args, ok := values[g.Ruby]
			if _, stringly := only[g.Ruby]; !ok && stringly {
				args, ok = in{soleString(t, g.Payload)}, true
			}
			require.True(t, ok, "add the line's Go value to rubyValues, or the reason why Go has none to rubyOnly")
			sameArgs(t, Plain, g, args)
		})
	}
	t.Logf("profile plain, compared with encode-plain: %v", n)
}

func keys[V any](m map[string]V) []string { return slices.Collect(maps.Keys(m)) }

func sameArgs(t *testing.T, p Profile, g golden, args []any) {
	t.Helper()
	got, err := p.AppendArgs([]byte(`"args":`), args)
	if g.Raises != "" {
		var encodeErr *EncodeError
		ok := errors.As(err, &encodeErr)
		require.True(t, ok, "%v", err)
		assert.Equal(t, `"args":`, string(got))
		if strings.Contains(g.Raises, "not allowed") {
			assert.Regexp(t, `: `+encodeErr.Reason+`$`, g.Raises)
		} else {
			assert.Contains(t, encodeErr.Reason, "utf-8", g.Raises)
		}
		return
	}
	require.NoError(t, err)
	parsed, err := ParsePayload([]byte(g.Payload))
	require.NoError(t, err)
	assert.Len(t, parsed.Args, len(args))
	assert.Equal(t, g.Payload, `{"class":"`+parsed.Class+`",`+string(got)+"}")
}

// sameNesting checks the limit, which counts the object and the array around
// the arguments.
func sameNesting(t *testing.T, p Profile, g golden) {
	t.Helper()
	var n int
	_, err := fmt.Sscanf(g.Ruby, "%d nested arrays", &n)
	require.NoError(t, err)
	var v any = 1 // by the recorded length, the innermost array is not empty
	for range n {
		v = []any{v}
	}
	got, err := p.AppendArgs(nil, []any{v})
	if g.OK {
		require.NoError(t, err)
		assert.Len(t, got, g.Bytes-len(`{"class":"J","args":}`))
		return
	}
	var encodeErr *EncodeError
	ok := errors.As(err, &encodeErr)
	require.True(t, ok, "%v", err)
	assert.Contains(t, g.Raises, encodeErr.Reason)
}

func soleString(t *testing.T, payload string) string {
	t.Helper()
	var p struct{ Args []string }
	require.NoError(t, json.Unmarshal([]byte(payload), &p))
	require.Len(t, p.Args, 1)
	return p.Args[0]
}
