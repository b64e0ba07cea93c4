package rubyjson

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSpans(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, raw, a, b string }{
		{"both", `{"a":1,"b":"x"}`, `1`, `"x"`},
		{"neither", `{}`, "", ""},
		{"white space is not part of a value", " {\"b\" : [ 1 ] ,\n\"a\":\t{ }\r} ", `{ }`, `[ 1 ]`},
		{"the last one counts", `{"a":1,"a":2}`, `2`, ""},
		{"inside another", `{"c":{"a":1},"b":{"a":2}}`, "", `{"a":2}`},
		{"a name with escapes", `{"\u0061":1}`, `1`, ""},
		{"null", `{"a":null}`, `null`, ""},
		{"names in another case", `{"A":1}`, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			spans, err := Spans([]byte(test.raw), "a", "b")
			require.NoError(t, err)
			assert.Equal(t, test.a, string(spans[0].Of([]byte(test.raw))))
			assert.Equal(t, test.b, string(spans[1].Of([]byte(test.raw))))
		})
	}
	for _, raw := range []string{"", "{", `{"a"}`, `{"a":1,}`, `{"a":1}x`, `{"a":"` + "\xff" + `"}`, `{"a":NaN}`, "\x00"} {
		_, err := Spans([]byte(raw), "a")
		var syntax *SyntaxError
		require.ErrorAs(t, err, &syntax, raw)
	}
	for _, raw := range []string{"[1]", "null", `"x"`, "1"} {
		_, err := Spans([]byte(raw), "a")
		require.ErrorIs(t, err, ErrNotObject, raw)
	}
}
