package activejob_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

func versions() []string { return []string{"6.1", "7.1.6", "8.1.3.1"} }

// symbols is a hash with symbols for keys, in the order given.
func symbols(keysAndValues ...any) activejob.Hash {
	h := activejob.Hash{Pairs: []activejob.Pair{}}
	for i := 0; i < len(keysAndValues); i += 2 {
		h.Pairs = append(h.Pairs, activejob.Pair{Key: keysAndValues[i].(string), Symbol: true, Value: keysAndValues[i+1]})
	}
	return h
}

// keys is the same with strings for keys.
func keys(keysAndValues ...any) activejob.Hash {
	h := symbols(keysAndValues...)
	for i := range h.Pairs {
		h.Pairs[i].Symbol = false
	}
	return h
}

func of(kind activejob.HashKind, h activejob.Hash) activejob.Hash {
	h.Kind = kind
	return h
}

func duration(seconds json.Number, parts ...activejob.Part) activejob.Duration {
	return activejob.Duration{Seconds: seconds, Parts: parts}
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	require.NoError(t, err)
	return z
}

func bigInt(t *testing.T, digits string) *big.Int {
	t.Helper()
	n, ok := new(big.Int).SetString(digits, 10)
	require.True(t, ok)
	return n
}

// forms are the arguments of the recordings as Values returns them. Enqueued,
// they are what Rails wrote, byte for byte.
func forms(t *testing.T) map[string][]any {
	t.Helper()
	noon := time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)
	july := time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC)
	east, west := time.FixedZone("", 2*3600), time.FixedZone("", -5*3600)
	number := func(s string) json.Number { return json.Number(s) }
	return map[string][]any{
		"args_none":             {},
		"args_integers":         {number("0"), number("-1"), number("2147483648"), number("9223372036854775808"), number("10000000000000000000000000")},
		"args_floats":           {number("1.0"), number("0.30000000000000004"), number("1.0e+16"), number("1.0e-07"), number("-0.0")},
		"args_float_nan":        {nil, nil},
		"args_strings":          {"", "plain", "naïve ☃ 😀", "<b>&</b>", "\u2028", "tab\t\"q\" \\ /", "\x00\x7f"},
		"args_nil_bools":        {nil, true, false},
		"args_symbols":          {activejob.Symbol("sym"), activejob.Symbol("with space")},
		"args_arrays":           {[]any{}, []any{number("1"), []any{number("2"), []any{nil}}}, []any{activejob.Symbol("a"), "a"}},
		"args_hash_string_keys": {keys("b", number("1"), "a", number("2"))},
		"args_hash_symbol_keys": {symbols("b", number("1"), "a", symbols("c", number("2")))},
		"args_hash_mixed_keys": {activejob.Hash{Pairs: []activejob.Pair{
			{Key: "b", Symbol: true, Value: number("1")},
			{Key: "a", Value: number("2")},
			{Key: "c", Value: symbols("d", activejob.Symbol("e"))},
		}}},
		"args_hash_empty": {keys()},
		"args_hash_indifferent": {of(activejob.IndifferentHash, keys("b", number("1"),
			"a", of(activejob.IndifferentHash, keys("c", number("2")))))},
		"args_hash_in_array": {[]any{symbols("a", number("1")), keys("b", []any{symbols("c", nil)})}},
		"args_kwargs":        {of(activejob.KeywordHash, symbols("a", number("1"), "b", activejob.Symbol("two")))},
		"args_kwargs_after_positional": {number("1"), symbols("x", number("1")), activejob.Hash{
			Kind:  activejob.KeywordHash,
			Pairs: []activejob.Pair{{Key: "a", Symbol: true, Value: number("1")}, {Key: "s", Value: number("2")}},
		}},
		"args_kwargs_nested": {of(activejob.KeywordHash, symbols("opts", symbols("deep", symbols("er", []any{number("1"), symbols("est", true)}))))},
		"args_date":          {activejob.Date{Year: 2026, Month: 1, Day: 15}},
		"args_time":          {noon.Add(789012 * time.Microsecond), noon.Add(5 * time.Hour).In(west), noon.Add(789012345)},
		"args_datetime":      {activejob.DateTime{Time: noon.Add(789 * time.Millisecond)}, activejob.DateTime{Time: noon.Add(-2 * time.Hour).In(east)}},
		"args_time_with_zone": {
			activejob.TimeWithZone{Time: noon.Add(789012 * time.Microsecond).In(zone(t, "America/New_York")), Zone: "America/New_York"},
			activejob.TimeWithZone{Time: july.In(zone(t, "Europe/Stockholm")), Zone: "Europe/Stockholm"},
			activejob.TimeWithZone{Time: july.In(zone(t, "Etc/UTC")), Zone: "Etc/UTC"},
		},
		"args_duration": {
			duration("300", activejob.Part{Unit: "minutes", Number: "5"}), duration("5400.0", activejob.Part{Unit: "hours", Number: "1.5"}),
			duration("2629746", activejob.Part{Unit: "months", Number: "1"}),
			duration("93597", activejob.Part{Unit: "days", Number: "1"}, activejob.Part{Unit: "hours", Number: "2"}, activejob.Part{Unit: "seconds", Number: "-3"}),
			duration("0", activejob.Part{Unit: "seconds", Number: "0"}), duration("604800", activejob.Part{Unit: "weeks", Number: "1"}),
			duration("1.25", activejob.Part{Unit: "seconds", Number: "1.25"}),
		},
		"args_module": {activejob.Module("Person"), activejob.Module("Shop::Item"), activejob.Module("Kernel")},
		"args_range": {
			activejob.Range{Begin: number("1"), End: number("3")},
			activejob.Range{Begin: number("1"), End: number("3"), ExcludeEnd: true},
			activejob.Range{Begin: "a", End: "z"},
			activejob.Range{Begin: number("1")},
			activejob.Range{Begin: activejob.Date{Year: 2026, Month: 1, Day: 1}, End: activejob.Date{Year: 2026, Month: 1, Day: 2}},
		},
		"args_big_decimal": {activejob.Decimal("1.1"), activejob.Decimal("0.00000000000000000001"), activejob.Decimal("12345678901234567890.5")},
		"args_global_id_ok": {
			activejob.GlobalID("gid://shop/Person/5"), activejob.NewGlobalID("shop", "Shop::Item", "a/b c"),
			[]any{activejob.GlobalID("gid://shop/Person/1")},
			symbols("p", activejob.NewGlobalID("shop", "Person", "2")),
		},
		"args_custom_serializer": {money("1250"), []any{money("1")}},
		"args_anonymous_class":   {activejob.Module("")},
		"args_string_subclass":   {"<b>"},
		"args_many": {
			number("1"), "two", number("3.0"), nil, true,
			[]any{number("4")},
			symbols("five", number("5")),
			activejob.Symbol("six"), activejob.GlobalID("gid://shop/Person/7"),
		},
	}
}

func money(cents json.Number) activejob.Object {
	return activejob.Object{Serializer: "MoneySerializer", Fields: []activejob.Pair{{Key: "cents", Value: cents}}}
}

// olderForms are the arguments that an older Rails writes in another way.
func olderForms(t *testing.T, version string) map[string][]any {
	t.Helper()
	decimals := []any{"1.1", "0.00000000000000000001", "12345678901234567890.5"}
	switch version {
	case "6.1":
		zoned := forms(t)["args_time_with_zone"]
		var nameless []any
		for i, offset := range []int{-5 * 3600, 2 * 3600, 0} {
			at := zoned[i].(activejob.TimeWithZone).In(time.FixedZone("", offset))
			if offset == 0 {
				at = at.UTC()
			}
			nameless = append(nameless, activejob.TimeWithZone{Time: at})
		}
		return map[string][]any{"args_big_decimal": decimals, "args_time_with_zone": nameless}
	case "7.1.6":
		return map[string][]any{"args_big_decimal": decimals}
	}
	return nil
}

// unwritten are the recordings that Go reads and does not write so.
func unwritten(version, name string) string {
	if version != "6.1" {
		return ""
	}
	return map[string]string{
		"args_anonymous_class": "Rails itself does not read it back",
		"args_time_with_zone":  "a zone without a name goes as a Time, which every version reads",
	}[name]
}

func unwrap(t *testing.T, payload string) *resque.Payload {
	t.Helper()
	outer, err := resque.ParsePayload("q", []byte(payload))
	require.NoError(t, err)
	mux := resque.NewMux()
	mux.Handle(activejob.Route("Any", nothing))
	job, err := mux.Unwrap(outer)
	require.NoError(t, err)
	return job
}

func TestEveryRecordedForm(t *testing.T) {
	t.Parallel()
	for _, version := range versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			want, older := forms(t), olderForms(t, version)
			seen, raised, onlyRead := 0, 0, 0
			for _, r := range golden.Family(t, "activejob-"+version) {
				if !strings.HasPrefix(r.Name, "args_") {
					continue
				}
				if r.Raises != nil {
					raised++
					continue
				}
				values, ok := want[r.Name]
				require.True(t, ok, "a new form: add its Go value: %s", r.Call)
				if own, ok := older[r.Name]; ok {
					values = own
				}
				seen++
				if unwritten(version, r.Name) != "" {
					onlyRead++
				}
				t.Run(r.Name, func(t *testing.T) {
					t.Parallel()
					sameForm(t, version, r, values)
				})
			}
			t.Logf("Rails %s: %d of %d forms: %d read and written byte for byte, %d read alone, %d refused by Rails",
				version, seen+raised, seen+raised, seen-onlyRead, onlyRead, raised)
			assert.GreaterOrEqual(t, seen, 28)
		})
	}
}

func sameForm(t *testing.T, version string, r golden.Recording, values []any) {
	t.Helper()
	payload := r.Pushed()[0]
	job := unwrap(t, payload)
	assert.Equal(t, "PlainJob", job.Class)
	got := activejob.Values(job)
	sameValues(t, values, got)
	if unwritten(version, r.Name) != "" {
		return
	}
	for _, args := range [][]any{values, got} {
		text, err := resque.JSONRails.AppendPayload(nil, recorded(r, args).Resque())
		require.NoError(t, err)
		if version == "6.1" { // the rest is of 7.1 on
			assert.Contains(t, string(text), between(payload, `"arguments":`, `,"locale"`))
			continue
		}
		assert.Equal(t, payload, string(text))
	}
}

// sameValues compares times by their instant and offset: locations are pointers.
func sameValues(t *testing.T, want, got []any) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		assert.Equal(t, fmt.Sprintf("%T", want[i]), fmt.Sprintf("%T", got[i]))
		if _, ok := want[i].(interface{ Unix() int64 }); ok {
			assert.Equal(t, fmt.Sprint(want[i]), fmt.Sprint(got[i]))
			continue
		}
		assert.Equal(t, want[i], got[i])
	}
}

// recorded is a job as the recordings' Rails made it.
func recorded(r golden.Recording, args []any) activejob.Job {
	return activejob.Job{
		Class: "PlainJob", Queue: "default", Args: args, ID: "00000000-0000-4000-8000-000000000001",
		Locale: "en", Timezone: "UTC", EnqueuedAt: r.Now,
	}
}

func between(s, from, to string) string {
	start, end := strings.Index(s, from), strings.LastIndex(s, to)
	return s[start:end]
}

// TestGoValuesAsRailsWritesThem is the same the other way: what a Go user passes
// without knowing this package's types.
func TestGoValuesAsRailsWritesThem(t *testing.T) {
	t.Parallel()
	type inner struct {
		C int `json:"c"`
	}
	type hash struct {
		B int   `json:"b"`
		A inner `json:"a"`
	}
	type words struct {
		A int              `json:"a"`
		B activejob.Symbol `json:"b"`
	}
	noon := time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)
	for name, args := range map[string][]any{
		"args_integers":         {0, int8(-1), uint32(1 << 31), uint64(1 << 63), bigInt(t, "10000000000000000000000000")},
		"args_floats":           {1.0, math.Nextafter(0.3, 1), 1e16, 1e-7, math.Copysign(0, -1)},
		"args_float_nan":        {math.NaN(), math.Inf(1)},
		"args_nil_bools":        {(*int)(nil), true, false},
		"args_arrays":           {[]int{}, []any{1, []any{2, []*int{nil}}}, []any{activejob.Symbol("a"), "a"}},
		"args_hash_string_keys": {json.RawMessage(` { "b" : 1, "a":2 } `)},
		"args_hash_symbol_keys": {&hash{1, inner{2}}},
		"args_hash_empty":       {map[string]int{}},
		"args_hash_in_array":    {[]any{map[activejob.Symbol]int{"a": 1}, map[string]any{"b": []map[activejob.Symbol]*int{{"c": nil}}}}},
		"args_kwargs":           {activejob.Keywords[words]{words{1, "two"}}},
		"args_kwargs_nested": {activejob.Keywords[map[string]any]{map[string]any{"opts": map[activejob.Symbol]any{
			"deep": map[activejob.Symbol]any{"er": []any{1, map[activejob.Symbol]bool{"est": true}}},
		}}}},
		"args_date":     {activejob.DateOf(noon)},
		"args_time":     {noon.Add(789012 * time.Microsecond), noon.Add(5 * time.Hour).In(time.FixedZone("x", -5*3600)), pointerTo(noon.Add(789012345))},
		"args_duration": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if args == nil {
				text, err := resque.JSONRails.AppendPayload(nil, activejob.Job{Class: "J", Queue: "q", Args: []any{5 * time.Minute, 1250 * time.Millisecond}}.Resque())
				require.NoError(t, err)
				for _, want := range []string{`"value":300,"parts":[[{`, `"seconds"},300]]`, `"value":1.25,"parts":`, `"seconds"},1.25]]`} {
					assert.Contains(t, string(text), want)
				}
				return
			}
			all := golden.Family(t, "activejob-8.1.3.1")
			r := all[slices.IndexFunc(all, func(r golden.Recording) bool { return r.Name == name })]
			text, err := resque.JSONRails.AppendPayload(nil, recorded(r, args).Resque())
			require.NoError(t, err)
			assert.Equal(t, r.Pushed()[0], string(text))
		})
	}
}

func pointerTo[T any](v T) *T { return &v }

func nothing(context.Context, *resque.Payload) error { return nil }
