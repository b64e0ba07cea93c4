package rubyjson_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/rubyjson"
)

func TestWithoutKeepsAllOtherBytes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{`{"class":"C","args":[1.50],"queue":"q"}`, `{"class":"C","args":[1.50]}`},
		{`{"queue":"q","class":"C"}`, `{"class":"C"}`},
		{`{"a":1,"queue":"q","b":2}`, `{"a":1,"b":2}`},
		{`{"queue":"q"}`, `{}`},
		{`{"queue":1,"queue":2,"a":{"queue":3},"queue":4}`, `{"a":{"queue":3}}`},
		{"{ \"queue\" : \"q\" ,\n\t\"a\" : 1 , \"queue\" : 2 , \"b\" : [ ] } ", "{\n\t\"a\" : 1 , \"b\" : [ ] } "},
		{`{"\u0071ueue":"q","Queue":1}`, `{"Queue":1}`},
		{`{"a":1}`, `{"a":1}`},
		{`{}`, `{}`},
		{`["queue"]`, `["queue"]`},
		{`{"queue":`, `{"queue":`},
	} {
		assert.Equal(t, c.want, string(rubyjson.Without([]byte(c.text), "queue")), c.text)
	}
}

// What is left is the object that Ruby would see without the members.
func FuzzWithout(f *testing.F) {
	f.Add([]byte(`{"a":1,"queue":"q", "b":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		before, ok := rubyjson.Members(text)
		left := rubyjson.Without(text, "queue")
		if !ok {
			assert.Equal(t, text, left)
			return
		}
		after, ok := rubyjson.Members(left)
		assert.True(t, ok, "%q", left)
		var want, got []string
		for _, m := range before {
			if m.Name != "queue" {
				want = append(want, m.Name, string(m.Value(text)))
			}
		}
		for _, m := range after {
			got = append(got, m.Name, string(m.Value(left)))
		}
		assert.Equal(t, want, got)
	})
}
