package rubyjson

import (
	"encoding/json"
	"math/big"
	"testing"
	"time"
)

type (
	Base struct {
		ID   int    `json:"id"`
		Kind string `json:"kind,omitempty"`
	}
	inner struct {
		Shown  string
		hidden string
	}
	Left   struct{ Name, Common string }
	Right  struct{ Name, Other string }
	Tagged struct {
		N string `json:"Name"`
	}
	Nest struct{ *Base }
	Tree struct {
		*Tree `json:",omitempty"`
		V     int
		Kids  []Tree `json:"kids,omitempty"`
	}
	Alias string
	Loop  struct {
		*Loop
		V int
	}
	Twice1 struct{ Left }
	Twice2 struct{ Left }
	Zeroer interface{ IsZero() bool }
	never  struct{}
	Maybe  struct{ v int }
)

func (*never) IsZero() bool  { return false }
func (m Maybe) IsZero() bool { return m.v == 1 }

func TestStructsMatchEncodingJSON(t *testing.T) {
	t.Parallel()
	one, empty := 1, ""
	for name, v := range map[string]any{
		"names": struct {
			A int `json:"a"`
			B int `json:"-"`
			C int `json:"-,"` //nolint:staticcheck // odd on purpose
			D int `json:",omitempty"`
			E int `json:"é/<x>"`
			G int `json:"a b"`
			h int
			I int `json:""`
		}{1, 2, 3, 0, 5, 7, 8, 9},
		"omitempty": struct {
			A int            `json:",omitempty"`
			B string         `json:",omitempty"`
			C []int          `json:",omitempty"`
			D map[string]int `json:",omitempty"`
			E *int           `json:",omitempty"`
			F any            `json:",omitempty"`
			G struct{}       `json:",omitempty"`
			H [0]int         `json:",omitempty"`
			I bool           `json:",omitempty"`
			J [1]int         `json:",omitempty"`
			K any            `json:",omitempty"`
		}{C: []int{}, K: 0},
		"omitempty keeps": struct {
			A *string `json:",omitempty"`
			B *int    `json:",omitempty"`
			C uint8   `json:",omitempty"`
		}{&empty, &one, 1},
		"omitzero": struct {
			A time.Time  `json:",omitzero"`
			B struct{}   `json:",omitzero"`
			C []int      `json:",omitzero"`
			D []int      `json:",omitzero"`
			E *time.Time `json:",omitzero"`
			F *time.Time `json:",omitzero"`
			G never      `json:",omitzero"`
			H Maybe      `json:",omitzero"`
			I Maybe      `json:",omitzero"`
			J any        `json:",omitzero"`
			K big.Int    `json:",omitzero"`
		}{C: []int{}, F: &time.Time{}, H: Maybe{1}, J: Maybe{0}},
		"string option": struct {
			A int         `json:",string"`
			B string      `json:",string"`
			C bool        `json:",string"`
			D *int        `json:",string"`
			E *int        `json:",string"`
			F []int       `json:",string"` //nolint:staticcheck // odd on purpose
			G json.Number `json:",string"`
			H uint8       `json:",string,omitempty"`
			I Alias       `json:",string"`
			J celsius     `json:",string"`
			K float64     `json:"k,string"`
		}{1, `a"b<`, true, &one, nil, []int{1}, "1.50", 0, "x", 3, 1.5},
		"embedded": struct {
			Base
			inner
			Alias
			Extra int
		}{Base{1, ""}, inner{"s", "h"}, "alias", 2},
		"embedded pointer":            Nest{&Base{1, "k"}},
		"embedded nil pointer":        Nest{},
		"embedded unexported pointer": struct{ *inner }{&inner{Shown: "s"}},
		"embedded with a name": struct {
			Base  `json:"base"`
			inner `json:"inner"`
		}{Base{1, "k"}, inner{"s", "h"}},
		"embedded and omitted": struct {
			Base `json:"-"`
		}{Base{1, "k"}},
		"conflict drops both": struct {
			Left
			Right
		}{Left{"l", "c"}, Right{"r", "o"}},
		"a tag wins": struct {
			Left
			Tagged
		}{Left{"l", "c"}, Tagged{"t"}},
		"two tags are a conflict": struct {
			Tagged
			Right
			T2 struct{} `json:"-"`
		}{Tagged{"t"}, Right{"r", "o"}, struct{}{}},
		"the least nested wins": struct {
			Left
			Name int
		}{Left{"l", "c"}, 7},
		"the same type twice": struct {
			Twice1
			Twice2
			X int
		}{Twice1{Left{"a", "b"}}, Twice2{Left{"c", "d"}}, 3},
		"an embedded interface": struct {
			Zeroer
			A int
		}{nil, 1},
		"recursive":     Tree{V: 1, Kids: []Tree{{V: 2}, {V: 3, Tree: &Tree{V: 4}}}},
		"embeds itself": Loop{&Loop{nil, 2}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sameAsStd(t, v)
			sameAsStd(t, []any{v, &v})
		})
	}
}
