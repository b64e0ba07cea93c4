package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConfirm(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, answer string
		yes, asks    bool
		want, wrong  bool // confirmed; a usage error
	}{
		{name: "--yes", yes: true, want: true},
		{name: "--yes on a terminal", yes: true, asks: true, want: true},
		{name: "no terminal", answer: "y\n", wrong: true},
		{name: "yes", asks: true, answer: "y\n", want: true},
		{name: "yes in full", asks: true, answer: " Yes \n", want: true},
		{name: "yes without an end of line", asks: true, answer: "y", want: true},
		{name: "no", asks: true, answer: "n\n"},
		{name: "enter", asks: true, answer: "\n"},
		{name: "something else", asks: true, answer: "yup\n"},
		{name: "standard input has ended", asks: true, wrong: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var said bytes.Buffer
			env := &Env{Stderr: &said, stdin: strings.NewReader(test.answer), asks: test.asks}
			err := env.confirm(test.yes, "remove %d failures", 3)
			var usage *usageError
			assert.Equal(t, test.want, err == nil)
			assert.Equal(t, test.wrong, errors.As(err, &usage))
			if test.wrong {
				require.ErrorContains(t, err, "remove 3 failures: confirm with --yes")
			}
			if test.asks && !test.yes {
				assert.Contains(t, said.String(), "Remove 3 failures? [y/N] ")
			} else {
				assert.Empty(t, said.String())
			}
		})
	}
}

func TestParseInstant(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"2026-01-02":           time.Date(2026, 1, 2, 0, 0, 0, 0, time.Local),
		"2026-01-02 03:04":     time.Date(2026, 1, 2, 3, 4, 0, 0, time.Local),
		"2026-01-02 03:04:05":  time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local),
		"2026-01-02T03:04:05":  time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local),
		"2026-01-02T03:04:05Z": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		"90m":                  now.Add(-90 * time.Minute),
		"1.5d":                 now.Add(-36 * time.Hour),
		"0s":                   now,
	} {
		got, err := parseInstant(text, now)
		require.NoError(t, err, text)
		assert.True(t, want.Equal(got), "%s: %v", text, got)
	}
	for _, text := range []string{"", "yesterday", "-1h", "-1d", "NaNd", "1e9d", "2026-13-01", "5"} {
		_, err := parseInstant(text, now)
		require.ErrorContains(t, err, "want a time", text)
	}
}
