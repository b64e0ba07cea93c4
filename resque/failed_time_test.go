package resque

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTimesInFailuresOfOthers(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{
		"2026/01/15 12:00:00 UTC",
		"2026-01-15T12:00:00Z",
		"2026-01-15 13:00:00 +0100",
		"Thu Jan 15 2026 12:00:00 GMT+0000 (Coordinated Universal Time)",
		"Thu Jan 15 2026 04:00:00 GMT-0800 (Pacific Standard Time)",
		"Thu Jan 15 2026 13:00:00 GMT+0100",
	} {
		at, err := parseTime(text)
		require.NoError(t, err, text)
		assert.True(t, noon.Equal(at), "%s: %v", text, at)
	}
	_, err := parseTime("Thu Jan 15 2026")
	assert.ErrorContains(t, err, "no time")
}
