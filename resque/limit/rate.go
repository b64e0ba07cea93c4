package limit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is how many jobs may start in a period. The zero Rate is no limit.
type Rate struct {
	Jobs int64
	Per  time.Duration // in whole milliseconds
}

// PerSecond returns the rate of n jobs in each second.
func PerSecond(n int64) Rate { return Rate{n, time.Second} }

// PerMinute returns the rate of n jobs in each minute.
func PerMinute(n int64) Rate { return Rate{n, time.Minute} }

// PerHour returns the rate of n jobs in each hour.
func PerHour(n int64) Rate { return Rate{n, time.Hour} }

// unit is a time that has a short name in the text of a rate.
type unit struct {
	name string
	per  time.Duration
}

func units() []unit {
	return []unit{{"s", time.Second}, {"min", time.Minute}, {"h", time.Hour}, {"day", 24 * time.Hour}}
}

// String returns r as ParseRate reads it, such as "100/min" or "5/30s".
func (r Rate) String() string {
	for _, u := range units() {
		if r.Per == u.per {
			return strconv.FormatInt(r.Jobs, 10) + "/" + u.name
		}
	}
	return fmt.Sprintf("%d/%v", r.Jobs, r.Per)
}

// ParseRate returns the rate that a text describes: a number of jobs, a slash, and s, min,
// h, day or a duration such as 30s.
func ParseRate(text string) (Rate, error) {
	jobs, per, _ := strings.Cut(text, "/")
	n, err := strconv.ParseInt(jobs, 10, 64)
	r := Rate{Jobs: n}
	for _, u := range units() {
		if per == u.name {
			r.Per = u.per
		}
	}
	if r.Per == 0 && err == nil {
		r.Per, err = time.ParseDuration(per)
	}
	if err != nil {
		return Rate{}, fmt.Errorf("limit: invalid rate %q (write it as 100/min, 5/s or 20/30s)", text)
	}
	if err := r.validate(); err != nil {
		return Rate{}, fmt.Errorf("limit: invalid rate %q: %w", text, err)
	}
	return r, nil
}

// The values that are possible: the state of a rate is in microseconds.
const (
	maxPer      = 366 * 24 * time.Hour
	minInterval = 10 * time.Microsecond
	maxBurst    = 1_000_000
	maxJobs     = 1_000_000_000
)

func (r Rate) validate() error {
	switch {
	case r.Jobs <= 0:
		return fmt.Errorf("%d jobs (it must be more than 0)", r.Jobs)
	case r.Per < time.Millisecond || r.Per%time.Millisecond != 0 || r.Per > maxPer:
		return fmt.Errorf("per %v (it must be whole milliseconds, from 1 ms to a year)", r.Per)
	case r.Jobs > maxJobs || r.Per/time.Duration(r.Jobs) < minInterval:
		return errors.New("more than 100,000 jobs a second")
	}
	return nil
}
