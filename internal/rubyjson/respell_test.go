package rubyjson

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRespell(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		` { "b" : 1.50 , "a" : [ 1e20, -0, -0.0, {} , [] ] } `: `{"b":1.5,"a":[1.0e+20,0,-0.0,{},[]]}`,
		`"\u00e9\/\u003c"`:                `"é/<"`,
		`{"a":{"b":{"c":[[],[1],null]}}}`: `{"a":{"b":{"c":[[],[1],null]}}}`,
		`123456789012345678901234567890`:  `123456789012345678901234567890`,
		`true`:                            `true`,
	} {
		got, err := Respell([]byte("x"), []byte(raw))
		require.NoError(t, err, raw)
		require.Equal(t, "x"+want, string(got), raw)
	}
	for _, raw := range []string{"", "abc", "[1,]", "1e400", "[1] 2"} {
		_, err := Respell(nil, []byte(raw))
		require.Error(t, err, raw)
	}
}
