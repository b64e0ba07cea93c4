package rubyjson

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// refusedOnPurpose returns the texts that json 2.6 reads and this package refuses,
// with the reason. The worker that pops such a payload records it in the failed
// list and keeps its text.
func refusedOnPurpose() map[string]string {
	return map[string]string{
		`/* c */ {"a":1}`: "comments are not JSON; Ruby never writes them, and its parser accepts only some",
		`["\x"]`:          "JSON has no such escape; json 2.17 and later also refuse it",
		`["\ude00"]`:      "a lone surrogate is not a character; Ruby reads it, but raises when it has to write it",
		"[\"\xFF\"]":      "not UTF-8; Ruby reads it, but raises when it has to write it",
		"[\"caf\xE9\"]":   "not UTF-8; Ruby reads it, but raises when it has to write it",
	}
}

func TestParseMatchesRecordedRuby(t *testing.T) {
	t.Parallel()
	purpose, used, all := refusedOnPurpose(), 0, 0
	for _, g := range readGolden(t, "testdata/decode-plain.jsonl") {
		raw, accepted := g.text(t)
		all++
		if _, ok := purpose[raw]; ok {
			require.True(t, accepted, "Ruby also refuses %q: delete it from refusedOnPurpose", raw)
			accepted = false
			used++
		}
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			err := Valid([]byte(raw))
			_, parseErr := ParsePayload([]byte(raw))
			if !accepted {
				var syntaxErr *SyntaxError
				ok := errors.As(err, &syntaxErr)
				require.True(t, ok, "accepted %q", raw)
				assert.LessOrEqual(t, syntaxErr.Offset, len(raw))
				assert.Equal(t, err, parseErr)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, wantParse(raw), parseErr, raw)
			sameReencoded(t, g, raw)
		})
	}
	assert.Equal(t, len(purpose), used, "refusedOnPurpose has a text that is not in decode-plain.jsonl")
	t.Logf("decode-plain: %d of %d texts accepted or refused as in Ruby, %d refused on purpose", all-used, all, used)
}

// wantParse returns the error that ParsePayload must return for raw, which is
// valid JSON. It uses encoding/json to find out.
func wantParse(raw string) error {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(raw), &members) != nil || members == nil {
		return ErrNotObject
	}
	var class string
	if json.Unmarshal(members["class"], &class) != nil || class == "" {
		return ErrNoClass
	}
	return nil
}

// sameReencoded checks that Go, having parsed raw, writes it as Ruby does.
func sameReencoded(t *testing.T, g golden, raw string) {
	t.Helper()
	if g.Reencoded == nil {
		return
	}
	assert.JSONEq(t, *g.Reencoded, raw)
	if strings.Count(raw, ":") > 1 {
		return // a Go map does not keep the order of its members
	}
	decoder := json.NewDecoder(strings.NewReader(raw))
	decoder.UseNumber()
	var v any
	require.NoError(t, decoder.Decode(&v))
	got, err := Append(nil, floats(t, v))
	require.NoError(t, err)
	assert.Equal(t, *g.Reencoded, string(got))
}

// floats converts the numbers that Ruby reads as Floats; others stay exact.
func floats(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = floats(t, v[i])
		}
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			f, err := v.Float64()
			require.NoError(t, err)
			return f
		}
	}
	return v
}
