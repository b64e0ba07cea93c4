package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// instant is a flag's point in time: a date, or how long ago.
type instant struct {
	at   time.Time
	text string
}

// Set reads "2026-01-15", "2026-01-15 12:00", "2026-01-15T12:00:00Z", "90m" or
// "7d". Dates without a zone are in the local one.
func (i *instant) Set(text string) error {
	at, err := parseInstant(text, time.Now())
	if err != nil {
		return err
	}
	i.at, i.text = at, text
	return nil
}

func (i *instant) String() string { return i.text }

// Type names the value in the flag's help.
func (i *instant) Type() string { return "time" }

func parseInstant(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly, "2006-01-02 15:04", time.DateTime, "2006-01-02T15:04:05"} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 && n < 100_000 {
			return now.Add(-time.Duration(n * 24 * float64(time.Hour))), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("want a time, such as 2026-01-15 or '2026-01-15 12:00', or how long ago, such as 90m or 7d, got %q", text)
}
