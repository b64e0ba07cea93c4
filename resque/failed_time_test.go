package resque_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
)

// A time in another format or an unknown zone does not make a record damaged. Its text is kept.
func TestTimesInFailuresOfOthers(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	const written = `"2026/01/15 12:00:00 UTC"`
	for value, want := range map[string]time.Time{
		written:                     noon,
		`"2026/01/15 04:00:00 PST"`: noon,
		`"2026/01/15 09:00:00 -03"`: noon,
		`"Thu Jan 15 2026 04:00:00 GMT-0800 (Pacific Standard Time)"`: noon,
		`"Thu, 15 Jan 2026 12:00:00 +0000"`:                           noon,
		`1768478400`:                                                  noon,
		`"1768478400"`:                                                noon,
		`"2026/01/15 12:00:00 IST"`:                                   {},
		`"yesterday"`:                                                 {},
	} {
		record := strings.Replace(failure("x", ""), written, value, 1)
		require.Contains(t, record, value)
		job := resque.ParseFailedJob("", 0, []byte(strings.Replace(record, `{"failed_at"`, `{"retried_at":`+value+`,"failed_at"`, 1)))
		require.NoError(t, job.Damage, value)
		assert.True(t, want.Equal(job.FailedAt), "%s: %v", value, job.FailedAt)
		assert.True(t, want.Equal(job.RequeuedAt), "%s: %v", value, job.RequeuedAt)
		assert.Equal(t, strings.Trim(value, `"`), job.FailedAtText)
		assert.Equal(t, strings.Trim(value, `"`), job.RequeuedAtText)
	}
}
