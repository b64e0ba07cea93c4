package policy

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMarkOf(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]*Mark{
		`{"class":"A","args":[],"batch":{"id":"x-1","n":7}}`:                    {"x-1", 7},
		`{"class":"A","batch":{"n":7,"id":"x-1"},"args":[]} `:                   {"x-1", 7},
		`{"class":"A","args":[],"batch":{"id":"x","n":4294967295}}`:             {"x", 4294967295},
		`{"class":"A","args":[],"batch":{"id":"x","n":4294967296}}`:             nil,
		`{"class":"A","args":[],"batch":{"id":"x","n":99999999999999999999}}`:   nil,
		`{"class":"A","args":[],"batch":{"id":"X","n":1}}`:                      nil,
		`{"class":"A","args":[],"batch":{"id":"x","n":-1}}`:                     nil,
		`{"class":"A","args":[],"batch":{"id":"x","n":}}`:                       nil,
		`{"class":"A","args":[{"a":1,"batch":{"id":"x","n":1}}]}`:               nil,
		`{"class":"A","args":[],"more":{"a":1,"batch":{"id":"x","n":1}}}`:       nil,
		`{"class":"A","args":[",\"batch\":{\"id\":\"x\",\"n\":1}}"]}`:           nil,
		`{"class":"A","args":[],"batch":{"id":"x","n":1},"traceparent":"00-1"}`: {"x", 1},
		`{"class":"A","args":["batch"]}`:                                        nil,
		`"batch"`:                                                               nil,
		``:                                                                      nil,
	} {
		got, ok := MarkOf([]byte(payload))
		assert.Equal(t, want != nil, ok, payload)
		if want != nil {
			assert.Equal(t, *want, got, payload)
		}
	}
}

func TestPayloadsWithoutAMarkCostNoAllocation(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts those of other tests
	payload := []byte(`{"class":"Exporter","args":[1,{"batches":true}],"enqueued_at":1}`)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if _, ok := MarkOf(payload); ok {
			t.Error("it has none")
		}
	}))
}
