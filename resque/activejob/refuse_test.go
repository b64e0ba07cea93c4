package activejob_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

type loop *loop

type mute struct{}

func (mute) MarshalJSON() ([]byte, error) { return nil, errMute }

var errMute = errors.New("no word")

// TestRefusesWhatRailsRefuses has an argument for each recording that raised, in
// as far as Go has the like.
func TestRefusesWhatRailsRefuses(t *testing.T) {
	t.Parallel()
	like := map[string]any{
		"args_global_id":            activejob.NewGlobalID("shop", "Person"),
		"args_unsupported_object":   make(chan int),
		"args_hash_integer_key":     map[int]int{1: 2},
		"args_hash_reserved_key":    map[string]string{"_aj_globalid": "x"},
		"args_hash_reserved_symbol": map[activejob.Symbol]int{"_aj_symbol_keys": 1},
		"args_anonymous_class":      activejob.Module(""),
		"args_binary_string":        "caf\xE9",
	}
	noLike := map[string]string{
		"args_unsupported_set": "Go has no sets", "args_unsupported_struct": "a struct is a hash", "args_rational": "Go writes one as text",
	}
	for _, r := range golden.Family(t, "activejob-8.1.3.1") {
		if r.Raises == nil || noLike[r.Name] != "" {
			continue
		}
		arg, ok := like[r.Name]
		require.True(t, ok, "a new refusal: %s", r.Call)
		_, err := activejob.Job{Class: "PlainJob", Queue: "q", Args: []any{1, arg}}.Resque().Encode()
		var refused *activejob.SerializationError
		require.ErrorAs(t, err, &refused, r.Call)
		assert.Equal(t, 2, refused.Index)
		assert.Equal(t, "ActiveJob::SerializationError", refused.ExceptionName())
	}
}

func TestRefusalsNameTheArgument(t *testing.T) {
	t.Parallel()
	type opts struct {
		Raw json.RawMessage `json:"raw"`
	}
	endless := loop(nil)
	endless = &endless
	for _, c := range []struct {
		arg  any
		want string
	}{
		{func() {}, `argument 1: unsupported type func()`},
		{[]any{1, map[string]any{"a b": []chan int{nil}}}, `argument 1: [1]["a b"][0]: unsupported type chan int`},
		{opts{json.RawMessage(`[{"x":{"_aj_serialized":"Evil"}}]`)}, `argument 1: .raw[0].x: Can't serialize a Hash with reserved key "_aj_serialized"`},
		{opts{json.RawMessage(`{"x":`)}, `argument 1: .raw: invalid JSON at byte 5: unexpected end, want a value`},
		{activejob.Hash{Pairs: []activejob.Pair{{Key: "_aj_new_in_rails_9"}}}, `argument 1: Can't serialize a Hash with reserved key "_aj_new_in_rails_9"`},
		{activejob.Object{Serializer: "S", Fields: []activejob.Pair{{Key: "_aj_serialized"}}}, `argument 1: Can't serialize a Hash with reserved key "_aj_serialized"`},
		{activejob.Object{}, `argument 1: Object has no Serializer`},
		{activejob.Hash{Kind: 9}, `argument 1: invalid HashKind 9`},
		{map[string]string{"\xff": ""}, `argument 1: ["\xff"]: source sequence is illegal/malformed utf-8`},
		{[]any{activejob.Keywords[opts]{}}, `argument 1: [0]: keyword arguments must be the last argument, and not inside another one`},
		{activejob.Keywords[int]{}, `argument 1: keyword arguments must be a struct or a map`},
		{activejob.Keywords[map[int]int]{map[int]int{1: 1}}, `argument 1: Only string and symbol hash keys may be serialized as job arguments, but there is a int`},
		{activejob.Duration{Seconds: "x"}, `argument 1: .value: invalid number "x"`},
		{endless, `argument 1: nesting of 100 is too deep`},
		{[]any{mute{}}, `argument 1: [0]: activejob_test.mute.MarshalJSON: no word`},
	} {
		_, err := activejob.Job{Class: "PlainJob", Queue: "q", Args: []any{c.arg}}.Resque().Encode()
		require.EqualError(t, err, "resque: PlainJob: "+c.want)
		if strings.Contains(c.want, "no word") {
			require.ErrorIs(t, err, errMute)
		}
	}
	_, err := activejob.Job{Class: "J", Queue: "q", Args: []any{activejob.Keywords[opts]{}, 1}}.Resque().Encode()
	require.ErrorContains(t, err, "J: argument 1: keyword arguments must be the last argument")
	_, err = activejob.Job{Queue: "q"}.Resque().Encode()
	require.ErrorContains(t, err, "activejob: jobs must be given a class")
}

// TestNobodysKeysBecomeMarks: what a user passes as data stays data, whichever
// way it gets in.
func TestNobodysKeysBecomeMarks(t *testing.T) {
	t.Parallel()
	const evil = `{"_aj_globalid":"gid://shop/User/1"}`
	type evilTag struct {
		ID string `json:"_aj_globalid"`
	}
	var decoded map[string]any
	require.NoError(t, json.Unmarshal([]byte(evil), &decoded))
	for _, arg := range []any{
		decoded, json.RawMessage(evil), json.RawMessage("[" + evil + "]"),
		evilTag{"x"},
		[]any{decoded},
		&evilTag{"x"},
		activejob.Keywords[any]{decoded},
		activejob.Keywords[evilTag]{evilTag{"x"}},
		keys("_aj_globalid", "x"), keysBare("_aj_globalid", "x"),
		of(activejob.IndifferentHash, keys("_aj_globalid", "x")), of(activejob.KeywordHash, keys("_aj_ruby2_keywords", []any{})),
		map[string]json.RawMessage{"a": json.RawMessage(evil)},
		activejob.Range{Begin: decoded},
	} {
		_, err := activejob.Job{Class: "J", Queue: "q", Args: []any{arg}}.Resque().Encode()
		require.ErrorContains(t, err, "reserved key", "%#v", arg)
	}
	text, err := activejob.Job{Class: "J", Queue: "q", Args: []any{evil, []byte(evil)}}.Resque().Encode()
	require.NoError(t, err, "as text it is text")
	assert.Equal(t, evil, activejob.Values(unwrap(t, string(text)))[0])
}

func TestJSONOfOthersIsAHashToRails(t *testing.T) {
	t.Parallel()
	text, err := activejob.Job{Class: "J", Queue: "q", Args: []any{
		json.RawMessage(` [ {"a" : [ {} , 1.50 ] } ] `), json.RawMessage(`"{"`), json.RawMessage(nil), (*int)(nil), map[string]int(nil), []int(nil),
	}}.Resque().Encode()
	require.NoError(t, err)
	assert.Contains(t, string(text), `"arguments":[[{"a":[{"_aj_symbol_keys":[]},1.50],"_aj_symbol_keys":[]}],"{",null,null,null,null],`)
}

func TestDeepArgumentsAreReadable(t *testing.T) {
	t.Parallel()
	deep := func(n int) any {
		var v any = 1
		for range n {
			v = []any{v}
		}
		return v
	}
	job := func(n int) resque.Job { return activejob.Job{Class: "J", Queue: "q", Args: []any{deep(n)}}.Resque() }
	text, err := job(96).Encode()
	require.NoError(t, err)
	_, err = resque.ParsePayload("q", text)
	require.NoError(t, err)
	_, err = job(97).Encode()
	require.ErrorContains(t, err, "nesting of 100 is too deep")
}
