package fnmatch_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/fnmatch"
)

func TestClosed(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]bool{
		"": true, "exports": true, "a]": true, "*?": true, "[ab]c": true, "[]": true, "[a-z][0-9]": true, "[!a]": true,
		`a\[b`: true, `[\]]`: true, `[a-\]]`: true, "[a-]": true, `a\`: true,
		"[": false, "a[b": false, "[a]b[": false, `[a\]`: false, "[a-": false, `[\`: false, "[!": false,
	} {
		assert.Equal(t, want, fnmatch.Closed(pattern), "%q", pattern)
	}
}
