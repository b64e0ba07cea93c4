package cli

import (
	"fmt"
	"strconv"
	"time"
)

// seconds is a flag's length of time, in seconds as in Resque's variables or
// with a unit as in Go.
type seconds struct {
	value float64
	given bool // by the flag or its variable, and not the default
}

// Set reads "5", "0.5" or "500ms".
func (s *seconds) Set(text string) error {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		d, bad := time.ParseDuration(text)
		if bad != nil {
			return fmt.Errorf("want a number of seconds, such as 5 or 0.5, got %q", text)
		}
		value = d.Seconds()
	}
	// Not a comparison alone: NaN is neither.
	if !(value >= 0 && value <= 1e9) {
		return fmt.Errorf("want 0 or more seconds, got %q", text)
	}
	s.value, s.given = value, true
	return nil
}

func (s *seconds) String() string { return strconv.FormatFloat(s.value, 'g', -1, 64) }

// Type names the value in the flag's help.
func (s *seconds) Type() string { return "seconds" }

func (s *seconds) duration() time.Duration {
	return time.Duration(s.value * float64(time.Second))
}

// positive is the duration for settings whose zero value means a default: 0 of
// the flag's is none.
func (s *seconds) positive() time.Duration { return max(s.duration(), time.Nanosecond) }
