package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/wire"
)

// choice is a flag whose value is one of a few words.
type choice struct {
	value string
	of    []string
}

// Set sets the value to one of the words.
func (c *choice) Set(text string) error {
	if !slices.Contains(c.of, text) {
		return fmt.Errorf("want %s, got %q", strings.Join(c.of, " or "), text)
	}
	c.value = text
	return nil
}

func (c *choice) String() string { return c.value }

// Type names the value in the flag's help.
func (c *choice) Type() string { return strings.Join(c.of, "|") }

// count is a flag whose value is a number.
type count struct {
	value int
	given bool // set by the flag or its variable
}

// Set parses a number.
func (c *count) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("want a number, got %q", text)
	}
	c.value, c.given = n, true
	return nil
}

func (c *count) String() string { return strconv.Itoa(c.value) }

// Type names the value in the flag's help.
func (c *count) Type() string { return "int" }

// truth is a flag that is true or false. Unlike that of other flags, its variable is
// parsed: in Ruby any value of it means yes.
type truth struct{ value bool }

// Set parses yes and no in the usual spellings.
func (t *truth) Set(text string) error {
	switch strings.ToLower(text) {
	case "1", "t", "true", "y", "yes", "on":
		t.value = true
	case "0", "f", "false", "n", "no", "off":
		t.value = false
	default:
		return fmt.Errorf("want true or false, got %q", text)
	}
	return nil
}

func (t *truth) String() string { return strconv.FormatBool(t.value) }

// Type names the value in the flag's help.
func (t *truth) Type() string { return "bool" }

// seconds is a flag whose value is a duration, in seconds as in Resque's variables or
// with a unit as in Go.
type seconds struct {
	value float64
	given bool // set by the flag or its variable, not the default
}

// Set parses "5", "0.5" or "500ms".
func (s *seconds) Set(text string) error {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		d, bad := time.ParseDuration(text)
		if bad != nil {
			return fmt.Errorf("want a number of seconds, such as 5 or 0.5, got %q", text)
		}
		value = d.Seconds()
	}
	// NaN must be refused: every comparison with it is false.
	if !(value >= 0 && value <= 1e9) {
		return fmt.Errorf("want 0 or more seconds, got %q", text)
	}
	s.value, s.given = value, true
	return nil
}

// AddSeconds adds a flag for a duration, in seconds or with a unit as in Go, such as 0.5
// or 500ms. It returns a function that returns the value.
func AddSeconds(set *pflag.FlagSet, name string, value time.Duration, usage string) func() time.Duration {
	s := &seconds{value: value.Seconds()}
	set.Var(s, name, usage)
	return s.duration
}

func (s *seconds) String() string { return strconv.FormatFloat(s.value, 'g', -1, 64) }

// Type names the value in the flag's help.
func (s *seconds) Type() string { return "seconds" }

func (s *seconds) duration() time.Duration {
	return time.Duration(s.value * float64(time.Second))
}

// positive returns the duration for settings whose zero value means the default. A
// flag value of 0 becomes the shortest duration.
func (s *seconds) positive() time.Duration { return max(s.duration(), time.Nanosecond) }

// batchID is a flag whose value is the id of a batch, which may have expired.
type batchID string

// Set checks that a batch may have the id.
func (b *batchID) Set(text string) error {
	if strings.TrimSpace(text) != "" && !policy.ValidBatchID(text) { // refuseEmpty refuses an empty one
		return fmt.Errorf("%q is not the id of a batch: 'goresque batches list' prints them", text)
	}
	*b = batchID(text)
	return nil
}

func (b *batchID) String() string { return string(*b) }

// Type names the value in the flag's help.
func (*batchID) Type() string { return "id" }

// instant is a flag whose value is a time: a date, or an age.
type instant struct {
	at   time.Time
	text string
}

// Set parses "2026-01-15", "2026-01-15 12:00", "2026-01-15T12:00:00Z", "90m" or "7d".
// Dates without a zone are in the local zone.
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

// inLocalZone returns the time that has at's date and time of day in the local zone.
func inLocalZone(at time.Time) time.Time {
	year, month, day := at.Date()
	return time.Date(year, month, day, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.Local)
}

func parseInstant(text string, now time.Time) (time.Time, error) {
	if at, err := wire.ParseTime(text); err == nil {
		if at.Zoneless {
			return inLocalZone(at.Time), nil
		}
		return at.Time, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 && n < 100_000 {
			return now.Add(-time.Duration(n * 24 * float64(time.Hour))), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("want a time such as 2026-01-15 or '2026-01-15 12:00', or an age such as 90m or 7d, got %q", text)
}
