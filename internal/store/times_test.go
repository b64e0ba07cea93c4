package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/store"
)

func TestRunAtsAreSpelledAsOneByOne(t *testing.T) {
	t.Parallel()
	assert.Empty(t, store.RunAts(time.Now(), 0))
	for _, from := range []time.Time{
		time.Unix(1_700_000_000, 0),
		time.Unix(1_700_000_000, 999_999_998),
		time.Date(2026, 12, 31, 23, 59, 59, 999_999_950, time.FixedZone("", 3600)),
		time.Now(),
	} {
		for i, runAt := range store.RunAts(from, 100) {
			assert.Equal(t, store.FormatRunAt(from.Add(time.Duration(i))), runAt)
		}
	}
}
