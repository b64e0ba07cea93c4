package rubyjson

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// profiles maps the recordings to the profile that must match them. A recording
// has only the lines that differ from encode-plain.jsonl.
func profiles() map[string]Profile {
	return map[string]Profile{
		"encode-json-2.9.1.diff.jsonl":                        Plain,
		"encode-json-2.15.2.diff.jsonl":                       Plain215,
		"encode-json-2.21.1.diff.jsonl":                       Plain215,
		"encode-activesupport-7.1.6.diff.jsonl":               Rails,
		"encode-activesupport-8.1.3.1-json-2.21.1.diff.jsonl": Rails215,
	}
}

// railsValues maps expressions to the values that a Go user passes to a client
// with a Rails profile, if they differ from rubyValues: ActiveSupport encodes more
// types.
func railsValues() map[string]in {
	noon := time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)
	type table struct {
		Table any `json:"table"`
	}
	return map[string]in{
		"Time.utc(2026,1,15,12,34,56)":                {noon},
		"Time.utc(2026,1,15,12,34,56.789r)":           {&[]time.Time{noon.Add(789 * time.Millisecond)}[0]},
		"Time.new(2026,1,15,12,34,56,\"-05:00\")":     {noon.Add(5 * time.Hour).In(time.FixedZone("", -5*3600))},
		"Time.at(1768480496, 789012345, :nsec).utc":   {time.Unix(1768480496, 789012345).UTC()},
		"DateTime.new(2026,1,15,12,34,56.789r)":       {"2026-01-15T12:34:56.789+00:00"}, // Go's UTC is Z
		"DateTime.new(2026,1,15,12,34,56,\"+02:00\")": {noon.Add(-2 * time.Hour).In(time.FixedZone("", 2*3600))},

		"Set.new([1,2])": {[]int{1, 2}}, "[1,2].each_slice(1)": {[][]int{{1}, {2}}},
		"OpenStruct.new(a: 1)": {table{object{"a": 1}}},
		"Point.new(1,2)": {struct {
			X int `json:"x"`
			Y int `json:"y"`
		}{1, 2}},
		"Opaque.new": {struct{}{}}, "WithToJson.new": {struct{}{}}, "WithToH.new": {struct{}{}},
		"Encoding::UTF_8":                     {struct{}{}},
		"BigDecimal(\"NaN\")":                 {nil},
		"{Time.utc(2026,1,15,12,34,56) => 1}": {object{"2026-01-15T12:34:56.000Z": 1}},
	}
}

// deepInRails reports whether ActiveSupport up to 8.0 writes the line and no Ruby
// can read it: a worker that pops such a payload loses it. See
// TestParseMatchesEveryVersion.
func deepInRails(ruby string) bool {
	return slices.Contains([]string{"99 nested arrays", "100 nested arrays", "101 nested arrays", "150 nested arrays"}, ruby)
}

func TestProfilesMatchTheirVersions(t *testing.T) {
	t.Parallel()
	for file, p := range profiles() {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			diff := readGolden(t, "testdata/"+file)
			var n tally
			for _, g := range overlaid(t, diff) {
				n.add(p, g)
				t.Run(g.Ruby, func(t *testing.T) {
					t.Parallel()
					sameInProfile(t, p, g)
				})
			}
			t.Logf("profile %s, compared with %s and encode-plain: %v", [...]string{"plain", "rails", "plain-2.15", "rails-2.15"}[p], file, n)
		})
	}
}

// tally counts the lines of a recording by what the test asserts about them.
type tally struct{ same, text, refused, stricter int }

func (n *tally) add(p Profile, g golden) {
	_, only := rubyOnly()[g.Ruby]
	_, rails := railsValues()[g.Ruby]
	_, plain := rubyValues()[g.Ruby]
	switch {
	case p == Rails && deepInRails(g.Ruby):
		n.stricter++
	case g.Raises != "":
		n.refused++
	case only && !plain && !(rails && p.rails()):
		n.text++
	default:
		n.same++
	}
}

func (n tally) String() string {
	all := n.same + n.text + n.refused + n.stricter
	return fmt.Sprintf("%d of %d pairs: %d from a Go value, %d from the text of a value that only Ruby has, "+
		"%d refused as in Ruby, %d refused although this Ruby writes them, because no Ruby reads them", all, all, n.same, n.text, n.refused, n.stricter)
}

// overlaid returns all lines of a version: those of encode-plain.jsonl, replaced
// by those of diff.
func overlaid(t *testing.T, diff []golden) []golden {
	t.Helper()
	own := map[string]golden{}
	for _, g := range diff {
		own[g.Ruby] = g
	}
	all := readGolden(t, "testdata/encode-plain.jsonl")
	for i, g := range all {
		if other, ok := own[g.Ruby]; ok {
			all[i] = other
			delete(own, g.Ruby)
		}
	}
	require.Empty(t, slices.Collect(maps.Keys(own)), "lines that encode-plain.jsonl does not have")
	return all
}

func sameInProfile(t *testing.T, p Profile, g golden) {
	t.Helper()
	if strings.HasSuffix(g.Ruby, " nested arrays") {
		if p == Rails && deepInRails(g.Ruby) {
			require.True(t, g.OK, "this version refuses it: delete it from deepInRails")
			g.OK, g.Raises = false, "nesting of 100 is too deep"
		}
		sameNesting(t, p, g)
		return
	}
	if whole, ok := notArgs()[g.Ruby]; ok {
		got, err := p.Append(nil, whole)
		require.NoError(t, err)
		assert.Equal(t, g.Payload, string(got))
		return
	}
	args, ok := rubyValues()[g.Ruby]
	if rails, own := railsValues()[g.Ruby]; own && p.rails() && (!strings.HasPrefix(g.Ruby, "{Time") || p == Rails215) {
		args, ok = rails, true
	}
	if _, stringly := rubyOnly()[g.Ruby]; !ok && stringly {
		args, ok = in{soleString(t, g.Payload)}, true
	}
	require.True(t, ok, "add the line's Go value to rubyValues, or the reason why Go has none to rubyOnly")
	sameArgs(t, p, g, args)
}

// TestParseMatchesEveryVersion compares the parser with all recorded versions. It
// refuses texts that only some versions read, because the payload may next be
// popped by another version.
func TestParseMatchesEveryVersion(t *testing.T) {
	t.Parallel()
	purpose := refusedOnPurpose()
	purpose["{\"a\":1} // c"] = "comments are not JSON; only the json gem 2.10 and later accepts one here"
	for _, version := range []string{"json-2.9.1", "json-2.15.2", "json-2.21.1", "activesupport-7.1.6", "activesupport-8.1.3.1-json-2.21.1"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			lines, refused := readLines(t, "testdata/decode-"+version+".diff.jsonl"), 0
			defer func() {
				t.Logf("decode-%s: of the texts that differ from decode-plain, %d of %d accepted or refused as in this version, %d refused on purpose",
					version, len(lines)-refused, len(lines), refused)
			}()
			for _, g := range lines {
				raw, accepted := g.text(t)
				if _, ok := purpose[raw]; ok || strings.Contains(string(g.Raw), "99 nested") {
					if accepted {
						refused++
					}
					accepted = false
				}
				err := Valid([]byte(raw))
				if !accepted {
					assert.ErrorAs(t, err, new(*SyntaxError), "accepted %q", raw)
					continue
				}
				require.NoError(t, err, raw)
				if g.Reencoded != nil {
					var v any
					if json.Unmarshal([]byte(raw), &v) == nil {
						sameReencoded(t, g, raw)
					}
				}
			}
		})
	}
}

func TestNewerFloats(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{
		"-0.000000001": -1e-9, "1.5e-10": 1.5e-10, "0.1": float32(0.1), "1e+15": float32(1e15),
		"1043518411955420.9": 1043518411955420.9, "-123456789012345.0": -123456789012345.0,
		"120.0": 120.0, "1.2e+16": 1.2e16, "1.7976931348623157e+308": 1.7976931348623157e308,
		"2.2250738585072014e-308": 2.2250738585072014e-308, "9.007199254740991e+15": 9007199254740991.0,
	} {
		for _, p := range []Profile{Plain215, Rails215} {
			got, err := p.Append(nil, v)
			require.NoError(t, err)
			assert.Equal(t, want, string(got))
		}
	}
}

// TestNewerFloatsReadBack also checks that Grisu2 finds the shortest digits for 99
// of 100 numbers.
func TestNewerFloatsReadBack(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	const tries = 20_000
	short := 0
	for range tries {
		f := math.Float64frombits(random.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		digits, last := grisu2(nil, math.Abs(f))
		back, err := strconv.ParseFloat(string(digits)+"e"+strconv.Itoa(last), 64)
		require.NoError(t, err)
		require.Equal(t, math.Abs(f), back, "%s %d", digits, last)
		text, err := Plain215.Append(nil, f)
		require.NoError(t, err)
		back, err = strconv.ParseFloat(string(text), 64)
		require.NoError(t, err)
		require.Equal(t, f, back, "%s", text)
		require.Regexp(t, `[.e]`, string(text), "Ruby would take it for an Integer")
		if mantissa, _, _ := strings.Cut(strconv.FormatFloat(math.Abs(f), 'e', -1, 64), "e"); len(strings.Replace(mantissa, ".", "", 1)) == len(digits) {
			short++
		}
	}
	assert.Greater(t, short, tries*99/100)
}

func TestRailsEscapesInsideEverything(t *testing.T) {
	t.Parallel()
	type label struct {
		Text string `json:"<t>"`
	}
	got, err := Rails.Append(nil, []any{label{"&\u2028\u2027\xe2\x81\xa0"}, map[string]string{"a&b": "é>"}, json.RawMessage(`"<raw>"`)})
	require.NoError(t, err)
	assert.Equal(t, `[{"\u003ct\u003e":"\u0026\u2028`+"\u2027\u2060"+`"},{"a\u0026b":"é\u003e"},"<raw>"]`, string(got),
		"raw JSON is not changed")
	text, err := Rails.AppendString(nil, "<")
	require.NoError(t, err)
	assert.Equal(t, `"\u003c"`, string(text))
	_, err = Rails.AppendString(nil, "\xff")
	require.Error(t, err)
	_, err = Rails.Append(nil, struct{ C chan int }{})
	require.Error(t, err)
}
