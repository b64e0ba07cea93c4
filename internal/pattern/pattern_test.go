package pattern_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/pattern"
)

func TestPatternIsCompiledOnce(t *testing.T) {
	t.Parallel()
	digits := pattern.Pattern{Text: `^\d+$`}
	first := digits.Regexp()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { assert.Same(t, first, digits.Regexp()) })
	}
	all.Wait()
	assert.True(t, first.MatchString("12"))
	assert.False(t, first.MatchString("1a"))
	assert.Panics(t, func() { (&pattern.Pattern{Text: "("}).Regexp() })
}
