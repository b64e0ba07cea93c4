package activejob_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

func serialized(serializer, rest string) string {
	return `{"_aj_serialized":"ActiveJob::Serializers::` + serializer + `Serializer",` + rest + `}`
}

func reserved(args ...string) *resque.Payload {
	job := &resque.Payload{Class: "ExportJob"}
	for _, arg := range args {
		job.Args = append(job.Args, json.RawMessage(arg))
	}
	return job
}

// shouted reads itself.
type shouted string

func (s *shouted) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("nothing to shout")
	}
	*s = shouted(text) + "!"
	return nil
}

type base struct {
	ID int64 `json:"id"`
}

type filter struct {
	*base
	Since  time.Time         `json:"since"`
	Owner  activejob.Symbol  `json:"owner"`
	Only   []string          `json:"only"`
	Extra  map[string]any    `json:"extra"`
	Limits [2]int            `json:"limits"`
	Price  activejob.Decimal `json:"price"`
	Loud   shouted           `json:"loud"`
	Count  *int              `json:"count"`
}

func bound[T any](t *testing.T, arg string) T {
	t.Helper()
	var v T
	require.NoError(t, activejob.Bind(reserved(arg), &v), arg)
	return v
}

func TestBindIntoGoTypes(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 15, 12, 34, 56, 789012000, time.UTC)
	for _, arg := range []string{
		serialized("Time", `"value":"2026-01-15T12:34:56.789012000Z"`),
		serialized("DateTime", `"value":"2026-01-15T14:34:56.789012000+02:00"`),
		serialized("TimeWithZone", `"value":"2026-01-15T07:34:56.789012000-05:00","time_zone":"America/New_York"`),
		serialized("TimeWithZone", `"value":"2026-01-15T07:34:56.789012000-05:00","time_zone":"Mars/Olympus"`),
		serialized("TimeWithZone", `"value":"2026-01-15T07:34:56.789012000-05:00"`),
		`"2026-01-15T12:34:56.789012Z"`,
	} {
		assert.True(t, noon.Equal(bound[time.Time](t, arg)), arg)
		assert.True(t, noon.Equal(bound[activejob.DateTime](t, arg).Time), arg)
		assert.True(t, noon.Equal(bound[activejob.TimeWithZone](t, arg).Time), arg)
		assert.True(t, noon.Equal(*bound[*time.Time](t, arg)), arg)
	}
	assert.Equal(t, "America/New_York", bound[time.Time](t, serialized("TimeWithZone", `"value":"2026-01-15T07:34:56.789012000-05:00","time_zone":"America/New_York"`)).Location().String())
	assert.Equal(t, noon.Truncate(24*time.Hour), bound[time.Time](t, serialized("Date", `"value":"2026-01-15"`)))
	assert.Equal(t, activejob.Date{Year: 2026, Month: time.January, Day: 15}, bound[activejob.Date](t, serialized("Date", `"value":"2026-01-15"`)))

	minutes := serialized("Duration", `"value":5400.5,"parts":[[{"_aj_serialized":"ActiveJob::Serializers::SymbolSerializer","value":"seconds"},5400.5]]`)
	assert.Equal(t, 90*time.Minute+500*time.Millisecond, bound[time.Duration](t, minutes))
	assert.Equal(t, 90*time.Second, bound[time.Duration](t, `90`))
	assert.Equal(t, time.Duration(math.MaxInt64), bound[time.Duration](t, `9223372036.854775807`))
	assert.Equal(t, -time.Nanosecond, bound[time.Duration](t, `-1e-9`))
	assert.Zero(t, bound[time.Duration](t, `1e-999999`))
	assert.Equal(t, activejob.DurationOf(90*time.Minute+500*time.Millisecond), bound[activejob.Duration](t, minutes))

	symbol := serialized("Symbol", `"value":"csv"`)
	assert.Equal(t, "csv", bound[string](t, symbol))
	assert.Equal(t, activejob.Symbol("csv"), bound[activejob.Symbol](t, `"csv"`))
	assert.Equal(t, shouted("csv!"), bound[shouted](t, symbol))
	assert.Equal(t, "Shop::Item", bound[string](t, serialized("Module", `"value":"Shop::Item"`)))
	assert.Equal(t, activejob.Module("Shop::Item"), bound[activejob.Module](t, serialized("Module", `"value":"Shop::Item"`)))

	for _, price := range []string{serialized("BigDecimal", `"value":"12345678901234567890.5"`), `"12345678901234567890.5"`} {
		assert.Equal(t, activejob.Decimal("12345678901234567890.5"), bound[activejob.Decimal](t, price))
		assert.Equal(t, "12345678901234567890.5", bound[string](t, price))
		rat := bound[big.Rat](t, price)
		assert.Equal(t, "12345678901234567890.5", rat.FloatString(1), "Rails 6.1 has plain text")
	}
	rat, ok := activejob.Decimal("0.11e1").Rat()
	assert.True(t, ok)
	assert.Equal(t, "11/10", rat.String())

	gid := `{"_aj_globalid":"gid://shop/Shop::Item/a%2Fb+c?x=1"}`
	assert.Equal(t, "a/b c", bound[activejob.GlobalID](t, gid).ID())
	assert.Equal(t, "gid://shop/Shop::Item/a%2Fb+c?x=1", bound[string](t, gid))
	assert.Equal(t, []activejob.Symbol{"a", "b"}, bound[[]activejob.Symbol](t, `[`+serialized("Symbol", `"value":"a"`)+`,"b"]`))
	assert.Equal(t, json.RawMessage(symbol), bound[json.RawMessage](t, symbol))
	assert.Equal(t, []byte("hi"), bound[[]byte](t, `"aGk="`))
	assert.Nil(t, bound[*int](t, `null`))
	assert.Nil(t, bound[any](t, `null`))
	assert.Equal(t, activejob.Range{Begin: json.Number("1"), ExcludeEnd: true}, bound[activejob.Range](t, serialized("Range", `"begin":1,"end":null,"exclude_end":true`)))
	assert.Equal(t, big.NewInt(0).Lsh(big.NewInt(1), 70), bound[*big.Int](t, `1180591620717411303424`))
}

func TestBindHashes(t *testing.T) {
	t.Parallel()
	body := `"id":1152921504606846977,"since":` + serialized("Date", `"value":"2026-01-15"`) + `,"OWNER":` + serialized("Symbol", `"value":"me"`) +
		`,"only":["a",` + serialized("Symbol", `"value":"b"`) + `],"extra":{"deep":{"x":1,"_aj_symbol_keys":["x"]},"_aj_symbol_keys":[]}` +
		`,"limits":[1,2],"price":"1.10","loud":"hey","count":null,"unknown":{}`
	want := filter{
		base: &base{1<<60 + 1}, Since: time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC), Owner: "me", Only: []string{"a", "b"},
		Extra:  map[string]any{"deep": symbols("x", json.Number("1"))},
		Limits: [2]int{1, 2}, Price: "1.10", Loud: "hey!",
	}
	want.base = nil // an embedded pointer to a type without a name outside cannot be filled
	for _, mark := range []string{`,"_aj_symbol_keys":["id"]`, `,"_aj_ruby2_keywords":["id"]`, `,"_aj_hash_with_indifferent_access":true`, ``} {
		assert.Equal(t, want, bound[filter](t, `{`+body+mark+`}`))
		assert.Equal(t, want, bound[activejob.Keywords[filter]](t, `{`+body+mark+`}`).Of)
	}
	parameters := serialized("ActionControllerParameters", `"value":{"id":7,"_aj_hash_with_indifferent_access":true}`)
	assert.Equal(t, base{7}, bound[base](t, parameters))
	assert.Equal(t, map[string]int{"id": 7}, bound[map[string]int](t, parameters))
	assert.Equal(t, base{7}, bound[base](t, `{"_aj_serialized":"BaseSerializer","id":7}`), "a serializer of the app's own")

	var id int64
	var words activejob.Keywords[base]
	require.NoError(t, activejob.Bind(reserved("5"), &id, &words), "keywords may be left out")
	require.NoError(t, activejob.Bind(reserved("5", `{"id":6,"_aj_ruby2_keywords":["id"]}`), &id, &words))
	assert.Equal(t, base{6}, words.Of)
	h := bound[activejob.Hash](t, `{"a":1,"b":2,"a":3,"_aj_symbol_keys":["b"]}`)
	assert.Equal(t, activejob.Hash{Pairs: []activejob.Pair{{Key: "a", Value: json.Number("3")}, {Key: "b", Symbol: true, Value: json.Number("2")}}}, h,
		"of two members with a name, the last counts, as in Ruby")
	b, ok := h.Get("b")
	assert.True(t, ok)
	assert.Equal(t, json.Number("2"), b)
	_, ok = h.Get("c")
	assert.False(t, ok)
}

func TestBindSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	date := serialized("Date", `"value":"2026-01-15"`)
	for _, c := range []struct {
		arg    string
		target any
		want   string
	}{
		{`"x"`, new(int64), `: want int64, got "x"`},
		{`9223372036854775808`, new(int64), `: want int64, got 9223372036854775808`},
		{`1.5`, new(int), `: want int, got 1.5`},
		{`null`, new(int), `: want int, got null`},
		{`null`, new(time.Time), `: want time.Time, got null`},
		{`null`, new(string), `: want string, got null`},
		{`7`, new(string), `: want string, got 7`},
		{date, new(string), `: want string, got {"_aj_serialized":"ActiveJob::Serializers::DateSerializer","…`},
		{`"yesterday"`, new(time.Time), `: want time.Time, got "yesterday"`},
		{serialized("Date", `"value":"x"`), new(activejob.Date), `: want activejob.Date, got {"_aj_serialized":"ActiveJob::Serializers::DateSerializer","…`},
		{`"1.2.3"`, new(activejob.Decimal), `: want activejob.Decimal, got "1.2.3"`},
		{`"x"`, new(time.Duration), `: want time.Duration, got "x"`},
		{`1e999999`, new(time.Duration), `: want time.Duration, got 1e999999`},
		{`9223372036.854775808`, new(time.Duration), `: want time.Duration, got 9223372036.854775808`},
		{`1e30`, new(time.Duration), `: want time.Duration, got 1e30`},
		{`[1]`, new([2]int), `: want [2]int, got [1]`},
		{`{}`, new([]int), `: want []int, got {}`},
		{`[]`, new(base), `: want activejob_test.base, got []`},
		{date, new(base), `: want activejob_test.base, got {"_aj_serialized":"ActiveJob::Serializers::DateSerializer","…`},
		{`{"id":"x"}`, new(base), `, field "id": want int64, got "x"`},
		{`{"only":["a",1]}`, new(filter), `, field "only[1]": want string, got 1`},
		{`{"a b":[{"id":{}}]}`, new(map[string][]base), `, field "[\"a b\"][0].id": want int64, got {}`},
		{`{"1":1}`, new(map[int]int), `: want map[int]int, got {"1":1}`},
		{`1`, new(error), `: want error, got 1`},
		{`""`, new(shouted), `: want activejob_test.shouted, got ""`},
		{`1`, new(activejob.Symbol), `: want activejob.Symbol, got 1`},
		{`[]`, new(activejob.Keywords[base]), `: want activejob_test.base, got []`},
		{`"x"`, new(activejob.Hash), `: want activejob.Hash, got "x"`},
	} {
		err := activejob.Bind(reserved("0", c.arg), new(any), c.target)
		var wrong *resque.ArgumentError
		require.ErrorAs(t, err, &wrong, c.arg)
		require.EqualError(t, err, "ExportJob: argument 2"+c.want)
		assert.Equal(t, "ArgumentError", wrong.ExceptionName())
		assert.Error(t, wrong.Err)
	}
	require.EqualError(t, activejob.Bind(reserved("1"), new(int), new(int)), "ExportJob: wrong number of arguments (given 1, expected 2)")
	require.EqualError(t, activejob.Bind(reserved("1", "2"), new(int)), "ExportJob: wrong number of arguments (given 2, expected 1)")
}

// TestOddSerializedForms keeps what no version of Rails that is known writes:
// another may.
func TestOddSerializedForms(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{
		serialized("Date", `"value":"tomorrow"`), serialized("Date", `"value":20260115`), serialized("Time", `"value":"x"`),
		serialized("DateTime", `"value":"x"`), serialized("TimeWithZone", `"value":"x"`), serialized("Symbol", `"value":null`),
		serialized("BigDecimal", `"value":1`), serialized("Duration", `"value":"PT5M"`), serialized("Duration", `"value":1,"parts":{}`),
		serialized("Duration", `"value":1,"parts":[1]`), serialized("Duration", `"value":1,"parts":[["seconds",1]]`), serialized("Range", `"begin":1`),
		serialized("Set", `"value":[1,2]`), `{"_aj_serialized":"MoneySerializer","a":{"b":1}}`, `{"_aj_serialized":"MoneySerializer"}`,
	} {
		values := activejob.Values(reserved(arg))
		o, ok := values[0].(activejob.Object)
		require.True(t, ok, "%s: %#v", arg, values[0])
		assert.Contains(t, arg, o.Serializer)
		text, err := activejob.Job{Class: "J", Queue: "q", Args: values}.Resque().Encode()
		require.NoError(t, err)
		assert.Contains(t, string(text), `"arguments":[`+arg+`]`, "and writes it again as it was")
	}
	value, ok := activejob.Values(reserved(serialized("Set", `"value":[1,2]`)))[0].(activejob.Object).Get("value")
	assert.True(t, ok)
	assert.Equal(t, []any{json.Number("1"), json.Number("2")}, value)
	assert.Equal(t, []any{keysBare("_aj_globalid", json.Number("5"))}, activejob.Values(reserved(`{"_aj_globalid":5}`)))
	assert.Equal(t, []any{activejob.Object{Fields: []activejob.Pair{}}}, activejob.Values(reserved(`{"_aj_serialized":5}`)))
	assert.Equal(t, []any{keysBare("_aj_globalid", "gid://a/B/1", "x", nil)}, activejob.Values(reserved(`{"_aj_globalid":"gid://a/B/1","x":null}`)),
		"with another member it is a hash to Rails")
}

func keysBare(keysAndValues ...any) activejob.Hash {
	return of(activejob.BareHash, keys(keysAndValues...))
}

func TestGlobalID(t *testing.T) {
	t.Parallel()
	id := activejob.NewGlobalID("shop", "Shop::Item", "a/b c")
	assert.Equal(t, activejob.GlobalID("gid://shop/Shop::Item/a%2Fb+c"), id)
	assert.Equal(t, "shop", id.App())
	assert.Equal(t, "Shop::Item", id.Model())
	_, ok := id.Int64()
	assert.False(t, ok)
	n, ok := activejob.GlobalID("gid://shop/Person/5?expires_in=1").Int64()
	assert.True(t, ok)
	assert.EqualValues(t, 5, n)
	assert.Equal(t, "1/2", activejob.NewGlobalID("shop", "Seat", "1", "2").ID(), "a key of two columns")
	for _, odd := range []activejob.GlobalID{"", "x", "gid://", "gid://shop", "gid://shop/Person"} {
		assert.Empty(t, odd.ID(), odd)
	}
	assert.Empty(t, activejob.GlobalID("gid://shop").Model())
}
