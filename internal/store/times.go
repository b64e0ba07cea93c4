package store

import (
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Ruby's layouts, used at the wire only.
const (
	// RunAt is a worker record's run_at. Ruby: Time#iso8601, to which we add
	// a fraction (Ruby reads it) that makes each reserve's record its own.
	RunAt = "2006-01-02T15:04:05.000000000Z"
	// Heartbeat is a heartbeat's. Ruby: Time#iso8601.
	Heartbeat = "2006-01-02T15:04:05-07:00"
	// Started is worker:<id>:started. Ruby: Time#to_s.
	Started = "2006-01-02 15:04:05 -0700"
	// FailedAt is failed_at and retried_at. Ruby: Resque::Failure::Redis#save.
	FailedAt = "2006/01/02 15:04:05 MST"
)

// FormatRunAt spells t as a worker's record has it.
func FormatRunAt(t time.Time) string { return t.UTC().Format(RunAt) }

// RunAts spells n times as workers' records have them, from t on and each a
// nanosecond after the one before.
func RunAts(t time.Time, n int) []string {
	all := make([]string, n)
	text := make([]byte, 0, n*len(RunAt))
	second := t.Truncate(time.Second)
	head := second.UTC().Format(RunAt)
	for i := range all {
		fraction := int(t.Sub(second)) + i
		if fraction >= int(time.Second) {
			second = second.Add(time.Second)
			head, fraction = second.UTC().Format(RunAt), fraction-int(time.Second)
		}
		text = append(text, head...)
		for at := len(text) - len("Z") - 1; fraction > 0; at-- {
			text[at] = byte('0' + fraction%10)
			fraction /= 10
		}
	}
	one := string(text)
	for i := range all {
		all[i] = one[i*len(RunAt) : (i+1)*len(RunAt)]
	}
	return all
}

// FormatFailedAt spells t as a failure's record has it. The zone is always
// UTC: other zones' names do not parse back safely in Ruby.
func FormatFailedAt(t time.Time) string { return t.UTC().Format(FailedAt) }

// clockTime is the time that TIME answered: seconds, and the microseconds past
// them.
func clockTime(reply any, err error) (time.Time, error) {
	parts, err := redis.Int64s(reply, err)
	if err == nil && len(parts) != 2 {
		err = fmt.Errorf("TIME answered %d values", len(parts))
	}
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(parts[0], parts[1]*int64(time.Microsecond)).UTC(), nil
}
