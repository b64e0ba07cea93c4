package rubyjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func FuzzParsePayload(f *testing.F) {
	for _, line := range readGolden(f, "testdata/decode-plain.jsonl") {
		raw, _ := line.text(f)
		f.Add([]byte(raw))
	}
	for _, line := range readGolden(f, "testdata/encode-plain.jsonl") {
		f.Add([]byte(line.Payload))
	}
	f.Add([]byte(`{"class":"J","args":{ }}`))
	f.Add([]byte(`{"cl\u0061ss":"\ud83d\ude00","args":{"a":[1e5,-0.1]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		p, err := ParsePayload(raw)
		require.Equal(t, before, raw, "ParsePayload changed the text")
		readable := json.Valid(raw) && levels(raw) <= MaxNesting && utf8.Valid(raw) && !loneSurrogate(raw)
		assert.Equal(t, readable, Valid(raw) == nil, "%q", raw)
		if err != nil {
			syntax := errors.As(err, new(*SyntaxError))
			assert.Equal(t, !readable, syntax, "%q: %v", raw, err)
			if readable {
				assert.ErrorIs(t, err, wantParse(string(raw)))
			}
			return
		}
		require.True(t, readable, "%q", raw)
		var want map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(raw, &want))
		var class string
		require.NoError(t, json.Unmarshal(want["class"], &class))
		assert.Equal(t, class, p.Class)
		var args []json.RawMessage
		switch value := want["args"]; {
		case value == nil, string(value) == "null", string(value) == "false":
		case value[0] == '{' && strings.Trim(string(value), "{} \t\r\n") == "": // Redis's cjson writes it for []
		case value[0] == '[':
			require.NoError(t, json.Unmarshal(value, &args))
		default:
			args = []json.RawMessage{value}
		}
		require.Len(t, p.Args, len(args))
		for i := range args {
			require.Equal(t, string(args[i]), string(p.Args[i]))
			require.NoError(t, Valid(p.Args[i]))
		}
	})
}

func FuzzAppend(f *testing.F) {
	f.Add("é\x00</>\u2028\"\\\x7f", 1e15, int64(math.MinInt64), uint64(math.MaxUint64))
	f.Add("\xed\xa0\x80", 9.999999999999999e22, int64(-1), uint64(1<<53+1))
	f.Add("", math.NaN(), int64(0), uint64(0))
	f.Add("\ufffd", math.Copysign(0, -1), int64(1<<53+1), uint64(1))
	f.Fuzz(func(t *testing.T, s string, x float64, i int64, u uint64) {
		finite := !math.IsNaN(x) && !math.IsInf(x, 0)
		single := float32(x)
		if math.IsInf(float64(single), 0) {
			single = 0
		}
		raw, err := Append(nil, []any{s, map[string]any{s: x}, single, i, u})
		require.Equal(t, utf8.ValidString(s) && finite, err == nil, "%v", err)
		if err != nil {
			require.Empty(t, raw)
			return
		}
		require.NoError(t, Valid(raw), "%s", raw)
		var back []json.RawMessage
		require.NoError(t, json.Unmarshal(raw, &back), "%s", raw)
		assert.Equal(t, s, decoded[string](t, back[0]))
		float, ok := decoded[map[string]json.RawMessage](t, back[1])[s]
		require.True(t, ok)
		assert.Equal(t, math.Float64bits(x), math.Float64bits(decoded[float64](t, float)))
		assert.Regexp(t, `^-?\d+\.\d+(e[+-]\d{2,})?$`, string(float))
		assert.Equal(t, math.Float32bits(single), math.Float32bits(decoded[float32](t, back[2])))
		assert.Equal(t, strconv.FormatInt(i, 10), string(back[3]))
		assert.Equal(t, strconv.FormatUint(u, 10), string(back[4]))
	})
}

func decoded[T any](t *testing.T, raw []byte) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(raw, &v), "%s", raw)
	return v
}

// levels returns how many arrays and objects are open at once in valid JSON.
func levels(raw []byte) int {
	deepest, open := 0, 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			open++
			deepest = max(deepest, open)
		case ']', '}':
			open--
		}
	}
	return deepest
}

// loneSurrogate reports whether an escape in valid JSON is a lone surrogate.
func loneSurrogate(raw []byte) bool {
	unit := func(at int) rune {
		if at+6 > len(raw) || raw[at] != '\\' || raw[at+1] != 'u' {
			return 0
		}
		n, _ := strconv.ParseUint(string(raw[at+2:at+6]), 16, 16)
		return rune(n)
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		if r := unit(i); utf16.IsSurrogate(r) {
			if utf16.DecodeRune(r, unit(i+6)) == utf8.RuneError {
				return true
			}
			i += 6
		}
		i++
	}
	return false
}
