package store

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

//go:embed metrics.lua
var metricsLua string

// DurationBuckets is the number of buckets of durations. The first one has durations of
// less than 1 ms, each other one those of up to twice as much as the bucket before, and
// the last one all that are longer.
const DurationBuckets = 26

// ClassMetrics is what was measured of the jobs of a class.
type ClassMetrics struct {
	Jobs, Failed int64
	Total        time.Duration // in whole milliseconds if it comes from Redis
	Buckets      [DurationBuckets]int64
}

// Add adds a job.
func (m *ClassMetrics) Add(took time.Duration, failed bool) {
	m.Jobs++
	if failed {
		m.Failed++
	}
	took = max(took, 0)
	m.Total += took
	m.Buckets[min(bits.Len64(uint64(took.Milliseconds())), DurationBuckets-1)]++ //nolint:gosec // not negative
}

// Merge adds other jobs.
func (m *ClassMetrics) Merge(other *ClassMetrics) {
	m.Jobs, m.Failed, m.Total = m.Jobs+other.Jobs, m.Failed+other.Failed, m.Total+other.Total
	for i, n := range other.Buckets {
		m.Buckets[i] += n
	}
}

// text returns m as metrics.lua takes it.
func (m *ClassMetrics) text() string {
	b := fmt.Appendf(nil, "%d %d %d", m.Jobs, m.Failed, m.Total.Milliseconds())
	for i, n := range m.Buckets {
		if n > 0 {
			b = fmt.Appendf(b, " %d:%d", i, n)
		}
	}
	return string(b)
}

// parseClassMetrics reads a text of metrics.lua, as far as it can be read.
func parseClassMetrics(text string) *ClassMetrics {
	m := &ClassMetrics{}
	for i, part := range strings.Fields(text) {
		bucket, jobs, ok := strings.Cut(part, ":")
		n, _ := strconv.ParseInt(bucket, 10, 64) // 0 if it is not a number
		switch {
		case ok && n >= 0 && n < DurationBuckets:
			m.Buckets[n], _ = strconv.ParseInt(jobs, 10, 64) // as above
		case i == 0:
			m.Jobs = n
		case i == 1:
			m.Failed = n
		case i == 2:
			m.Total = time.Duration(n) * time.Millisecond
		}
	}
	return m
}

// The steps of metrics.
type metricsStep struct {
	classes string        // the layout of the time in the key of the classes
	keep    time.Duration // how long the classes are kept
	next    func(at time.Time, n int) time.Time
}

const day = 24 * time.Hour

func stepMinute() metricsStep {
	return metricsStep{"2006-01-02T15:04", 3 * day, func(at time.Time, n int) time.Time {
		return at.Truncate(time.Minute).Add(time.Duration(n) * time.Minute)
	}}
}

func stepHour() metricsStep {
	return metricsStep{"2006-01-02T15", 8 * day, func(at time.Time, n int) time.Time { return at.Truncate(time.Hour).Add(time.Duration(n) * time.Hour) }}
}

func stepDay() metricsStep {
	return metricsStep{"2006-01-02", 184 * day, func(at time.Time, n int) time.Time { return at.Truncate(day).AddDate(0, 0, n) }}
}

// The counters of minutes and of ten minutes are in one hash for each day, those of hours
// and days in one for each month.
const (
	countersDay, countersMinute          = "2006-01-02", "15:04" // without the last digit for ten minutes
	countersMonth, countersHour, dayOnly = "2006-01", "02T15", "02"
	keepCountersDay, keepCountersMonth   = 3 * day, 215 * day // a month has up to 31 days
)

func tenMinutes(at time.Time) string { return at.Format(countersMinute)[:4] }

// The limits of a hash of classes, and of the name of a class.
const (
	mostClasses  = 300
	longestClass = 200
	otherClasses = "(other)"
)

// classesAtOnce is the number of classes that are added in one call, so that no call takes
// long.
const classesAtOnce = 30

// AddMetrics adds what this process has measured since the last call to the metrics of
// this minute, hour and day, and keeps the counters of processed and failed jobs if no
// other process has done so in this minute. It is one round trip for up to 30 classes,
// unless Redis's clock was not read for 2 minutes. What was added is removed from
// measured. If an error is returned, up to 30 others may have been added.
func (s *Store) AddMetrics(ctx context.Context, measured map[string]*ClassMetrics) error {
	now := s.About(ctx)
	classes := slices.Sorted(maps.Keys(measured))
	for {
		part := classes[:min(len(classes), classesAtOnce)]
		err := s.with(ctx, func(c conn) error {
			_, err := c.script(s.scripts.metrics, s.metricsArgs(now, part, measured)...)
			return err
		})
		if err != nil {
			return fmt.Errorf("adding the metrics of %d classes: %w", len(classes), err)
		}
		for _, class := range part {
			delete(measured, class)
		}
		if classes = classes[len(part):]; len(classes) == 0 {
			return nil
		}
	}
}

// metricsArgs returns the keys and arguments of metrics.lua.
func (s *Store) metricsArgs(now time.Time, classes []string, measured map[string]*ClassMetrics) []any {
	steps := []metricsStep{stepMinute(), stepHour(), stepDay()}
	args := []any{7}
	for _, step := range steps {
		args = append(args, s.keys.metrics(now.Format(step.classes)))
	}
	args = append(args, s.keys.stat("processed"), s.keys.stat("failed"), s.keys.counters(now.Format(countersDay)), s.keys.counters(now.Format(countersMonth)))
	for _, step := range steps {
		args = append(args, step.keep.Milliseconds())
	}
	args = append(args, keepCountersDay.Milliseconds(), keepCountersMonth.Milliseconds(),
		now.Format(countersMinute), tenMinutes(now), now.Format(countersHour), now.Format(dayOnly), now.Unix(), mostClasses, otherClasses)
	for _, class := range classes {
		name := class
		if len(name) > longestClass {
			name = otherClasses
		}
		args = append(args, name, measured[class].text())
	}
	return args
}

// MetricsWindow is a time up to now of which metrics are kept.
type MetricsWindow int

// The windows. Metrics are kept by minute, hour and day.
const (
	LastHour MetricsWindow = iota
	LastDay
	LastWeek
	LastHalfYear
)

// classKeys returns the keys of the classes in a window.
func (s *Store) classKeys(w MetricsWindow, now time.Time) []string {
	step, n := stepMinute(), 60
	switch w {
	case LastHour:
	case LastDay:
		step, n = stepHour(), 24
	case LastWeek:
		step, n = stepHour(), 7*24
	case LastHalfYear:
		step, n = stepDay(), 180
	}
	keys := make([]string, n)
	for i := range keys {
		keys[i] = s.keys.metrics(step.next(now, -i).Format(step.classes))
	}
	return keys
}

// ClassMetrics returns what was measured in a window, by class. A key of another type
// counts as empty.
func (s *Store) ClassMetrics(ctx context.Context, w MetricsWindow) (map[string]*ClassMetrics, error) {
	var commands [][]any
	for _, key := range s.classKeys(w, s.About(ctx)) {
		commands = append(commands, []any{"HGETALL", key})
	}
	all := map[string]*ClassMetrics{}
	err := s.with(ctx, func(c conn) error {
		replies, err := c.rightType(commands)
		for _, reply := range replies {
			fields, err := redis.StringMap(reply, nil)
			if err != nil {
				return err
			}
			for class, text := range fields {
				if all[class] == nil {
					all[class] = &ClassMetrics{}
				}
				all[class].Merge(parseClassMetrics(text))
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of classes: %w", err)
	}
	return all, nil
}

// rightType sends commands together and returns the replies that are not about keys of
// another type.
func (c conn) rightType(commands [][]any) ([]any, error) {
	replies, err := c.pipeline(commands...)
	if err != nil {
		return nil, err
	}
	right := replies[:0]
	for _, reply := range replies {
		damage, err := otherType("", reply)
		if err != nil {
			return nil, err
		}
		if damage == nil {
			right = append(right, reply)
		}
	}
	return right, nil
}

// Counters are the counters of the namespace at a time.
type Counters struct {
	At                time.Time
	Processed, Failed int64
}

// counterPlaces returns the keys and fields of the counters in a window, the oldest first.
func (s *Store) counterPlaces(w MetricsWindow, now time.Time) (keys []string, fields map[string][]any) {
	fields = map[string][]any{}
	add := func(key, field string) {
		if fields[key] == nil {
			keys = append(keys, key)
		}
		fields[key] = append(fields[key], field)
	}
	switch w {
	case LastHour:
		for i := 60; i >= 0; i-- {
			at := now.Add(-time.Duration(i) * time.Minute)
			add(s.keys.counters(at.Format(countersDay)), at.Format(countersMinute))
		}
	case LastDay:
		for i := 144; i >= 0; i-- {
			at := now.Add(-time.Duration(i) * 10 * time.Minute)
			add(s.keys.counters(at.Format(countersDay)), tenMinutes(at))
		}
	case LastWeek:
		for i := 7 * 24; i >= 0; i-- {
			at := stepHour().next(now, -i)
			add(s.keys.counters(at.Format(countersMonth)), at.Format(countersHour))
		}
	case LastHalfYear:
		for i := 180; i >= 0; i-- {
			at := stepDay().next(now, -i)
			add(s.keys.counters(at.Format(countersMonth)), at.Format(dayOnly))
		}
	}
	return keys, fields
}

// CountersIn returns the counters that were kept in a window, the oldest first: by minute,
// 10 minutes, hour or day. It is one round trip.
func (s *Store) CountersIn(ctx context.Context, w MetricsWindow) ([]Counters, error) {
	keys, fields := s.counterPlaces(w, s.About(ctx))
	var commands [][]any
	for _, key := range keys {
		commands = append(commands, append([]any{"HMGET", key}, fields[key]...))
	}
	var all []Counters
	err := s.with(ctx, func(c conn) error {
		replies, err := c.rightType(commands)
		for _, reply := range replies {
			texts, err := redis.Strings(reply, nil)
			if err != nil {
				return err
			}
			for _, text := range texts {
				var at int64
				var n Counters
				if _, err := fmt.Sscan(text, &at, &n.Processed, &n.Failed); err == nil {
					n.At = time.Unix(at, 0).UTC()
					all = append(all, n)
				}
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the history of counters: %w", err)
	}
	return all, nil
}
