package cron_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/cron"
)

// recorded is a line of testdata, which was recorded with fugit 1.5.2.
type recorded struct {
	Cron    string      `json:"cron"`
	Every   string      `json:"every"`
	After   time.Time   `json:"after"`
	Next    []time.Time `json:"next"`
	Then    []time.Time `json:"next_after_2026-01-15T12:34:56Z"`
	Seconds float64     `json:"seconds"`
	Error   string      `json:"error"`
}

func recordings(t *testing.T, file string) []recorded {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	require.NoError(t, err)
	var all []recorded
	for line := range strings.Lines(string(text)) {
		var r recorded
		require.NoError(t, json.Unmarshal([]byte(line), &r), line)
		all = append(all, r)
	}
	require.NotEmpty(t, all)
	return all
}

func TestCronLinesGiveRubysTimes(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)
	for _, r := range append(recordings(t, "cron.jsonl"), recordings(t, "cron_dst.jsonl")...) {
		t.Run(r.Cron, func(t *testing.T) {
			t.Parallel()
			s, err := cron.Parse(r.Cron)
			if r.Error != "" {
				require.ErrorContains(t, err, "invalid cron line")
				return
			}
			require.NoError(t, err)
			from, want := start, r.Then
			if r.Next != nil {
				from, want = r.After, r.Next
			}
			require.NotEmpty(t, want)
			require.Equal(t, want, following(t, s, from, len(want)))
		})
	}
}

// following returns the next n times of a schedule.
func following(t *testing.T, s *cron.Schedule, from time.Time, n int) (times []time.Time) {
	t.Helper()
	for range n {
		next, ok := s.Next(from)
		require.True(t, ok, "no time after %v matches %q", from, s)
		require.True(t, next.After(from), "%q: %v is not after %v", s, next, from)
		times = append(times, next)
		from = next
	}
	return times
}

func TestIntervalsHaveRubysLength(t *testing.T) {
	t.Parallel()
	for _, r := range recordings(t, "every.jsonl") {
		t.Run(r.Every, func(t *testing.T) {
			t.Parallel()
			d, err := cron.ParseEvery(r.Every)
			if r.Error != "" {
				require.ErrorContains(t, err, "invalid")
				return
			}
			require.NoError(t, err)
			require.Equal(t, time.Duration(r.Seconds*float64(time.Second)), d)
		})
	}
}
