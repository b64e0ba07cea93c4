package rubyjson

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParsePayload(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, raw, class string
		args             []string
	}{
		{"usual", `{"class":"Exporter","args":[42,"csv"]}`, "Exporter", []string{`42`, `"csv"`}},
		{"white space is not part of an argument", " {\"args\" : [ 1 ,\n{ } ] ,\t\"class\" : \"J\"}\r", "J", []string{`1`, `{ }`}},
		{"no args", `{"class":"J","args":[]}`, "J", nil},
		{"args missing", `{"class":"J"}`, "J", nil},
		{"args null", `{"class":"J","args":null}`, "J", nil},
		{"args false is Ruby's args || []", `{"class":"J","args":false}`, "J", nil},
		{"args true", `{"class":"J","args":true}`, "J", []string{`true`}},
		{"args a string", `{"class":"J","args":"x"}`, "J", []string{`"x"`}},
		{"args an empty object", `{"class":"J","args":{}}`, "J", nil},
		{"args an empty object with white space", "{\"class\":\"J\",\"args\":{ \t\n}}", "J", nil},
		{"args an object", `{"class":"J","args":{"a":[1,2]}}`, "J", []string{`{"a":[1,2]}`}},
		{"names with escapes", `{"cl\u0061ss":"J","\u0061rgs":[1]}`, "J", []string{`1`}},
		{"names in another case", `{"class":"J","Class":"K","ARGS":[2],"args":[1]}`, "J", []string{`1`}},
		{"class with escapes", `{"class":"\u00e9\ud83d\ude00\"\\\/\b\f\n\r\tz","args":[]}`, "é😀\"\\/\b\f\n\r\tz", nil},
		{"the last class counts", `{"class":null,"class":"K"}`, "K", nil},
		{"the last args count", `{"class":"J","args":[1,2],"args":[3]}`, "J", []string{`3`}},
		{"null args after others", `{"class":"J","args":[1,2],"args":null}`, "J", nil},
		{"class inside another member", `{"x":{"class":"K","args":[9]},"class":"J","args":[1]}`, "J", []string{`1`}},
		{
			"numbers keep their spelling", `{"class":"J","args":[1.50,1e400,-0,12345678901234567890]}`, "J",
			[]string{`1.50`, `1e400`, `-0`, `12345678901234567890`},
		},
		{"many arguments", `{"class":"J","args":[1,2,3,4,5,6]}`, "J", []string{`1`, `2`, `3`, `4`, `5`, `6`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, err := ParsePayload([]byte(test.raw))
			require.NoError(t, err)
			assert.Equal(t, test.class, p.Class)
			var args []string
			for _, arg := range p.Args {
				args = append(args, string(arg))
			}
			assert.Equal(t, test.args, args)
		})
	}
}

func TestParsePayloadErrors(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]error{
		`[]`: ErrNotObject, ` null `: ErrNotObject, `"s"`: ErrNotObject, `1`: ErrNotObject,
		`{}`: ErrNoClass, `{"args":[1]}`: ErrNoClass, `{"class":null}`: ErrNoClass, `{"class":""}`: ErrNoClass,
		`{"class":123}`: ErrNoClass, `{"class":["J"]}`: ErrNoClass, `{"class":"J","class":null}`: ErrNoClass,
		`{"CLASS":"J"}`: ErrNoClass,
	} {
		p, err := ParsePayload([]byte(raw))
		require.ErrorIs(t, err, want, raw)
		assert.Zero(t, p, raw)
	}
}

func TestSyntaxError(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw    string
		offset int
		reason string
	}{
		{``, 0, "unexpected end, want a value"},
		{`{`, 1, "unexpected end, want a string"},
		{`{"a"`, 4, "unexpected end, want ':'"},
		{`{"a":1,}`, 7, "unexpected '}', want a string"},
		{`{a:1}`, 1, "unexpected 'a', want a string"},
		{`[1,]`, 3, "unexpected ']', want a value"},
		{`[1 2]`, 3, "unexpected '2', want ',' or ']'"},
		{`{"a":1]`, 6, "unexpected ']', want ',' or '}'"},
		{`[01]`, 2, "unexpected '1', want ',' or ']'"},
		{`[1.]`, 3, "unexpected ']', want a digit"},
		{`[1e+]`, 4, "unexpected ']', want a digit"},
		{`[-]`, 2, "unexpected ']', want a digit"},
		{`[+1]`, 1, "unexpected '+', want a value"},
		{`[-Infinity]`, 2, "unexpected 'I', want a digit"},
		{`[tru]`, 4, "unexpected ']', want true"},
		{"[1]\x00", 3, `unexpected '\x00', want the end`},
		{"\ufeff[1]", 0, "unexpected byte 0xef, want a value"},
		{"[\u00a01]", 1, "unexpected byte 0xc2, want a value"},
		{`["`, 2, `unexpected end, want '"'`},
		{`["\`, 3, "unexpected end, want an escape"},
		{`["\x"]`, 3, "unexpected 'x', want an escape"},
		{`["\u12"]`, 6, `unexpected '"', want a hexadecimal digit`},
		{`["\ud83d\u12"]`, 12, `unexpected '"', want a hexadecimal digit`},
		{"[\"a\tb\"]", 3, `unescaped control character '\t' in a string`},
		{"[\"a\xc3\"]", 3, "string is not UTF-8"},
		{"[\"\xed\xa0\x80\"]", 2, "string is not UTF-8"},
		{`["a\ud83d"]`, 3, "lone surrogate in a string"},
		{`["\ud83d\ud83d"]`, 2, "lone surrogate in a string"},
		{`["\ud83d\n"]`, 2, "lone surrogate in a string"},
		{`["\ude00\ud83d"]`, 2, "lone surrogate in a string"},
		{`{"\ude00":1}`, 2, "lone surrogate in a string"},
		{nested(101), 100, "nesting of 101 is too deep"},
		{strings.Repeat(`{"a":`, 1e6), 500, "nesting of 101 is too deep"},
	}
	for _, test := range tests {
		t.Run(test.raw[:min(len(test.raw), 20)], func(t *testing.T) {
			t.Parallel()
			err := Valid([]byte(test.raw))
			var got *SyntaxError
			ok := errors.As(err, &got)
			require.True(t, ok, "accepted %q", test.raw)
			assert.Equal(t, SyntaxError{test.offset, test.reason}, *got)

			wrapped := `{"class":"J","args":[` + test.raw
			_, err = ParsePayload([]byte(wrapped))
			assert.ErrorAs(t, err, new(*SyntaxError), "accepted %q", wrapped)
		})
	}
	require.NoError(t, Valid([]byte(nested(100))))
	require.EqualError(t, Valid([]byte(`x`)), `invalid JSON at byte 0: unexpected 'x', want a value`)
}

func TestAppendToArgLeavesTheNextUnchanged(t *testing.T) {
	t.Parallel()
	raw := []byte(`{"class":"J","args":[1,2]}`)
	p, err := ParsePayload(raw)
	require.NoError(t, err)
	_ = append(p.Args[0], "0000"...)
	assert.Equal(t, `{"class":"J","args":[1,2]}`, string(raw))
}
