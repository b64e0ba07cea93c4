package wire

import (
	"time"
)

// Layouts of the times that goresque writes.
const (
	// RunAt is the layout of run_at in a worker's record. Ruby: Time#iso8601.
	// goresque adds a fraction, which Ruby can read, so that the record of each
	// reserve is unique.
	RunAt = "2006-01-02T15:04:05.000000000Z"
	// Heartbeat is the layout of a heartbeat. Ruby: Time#iso8601.
	Heartbeat = "2006-01-02T15:04:05-07:00"
	// Started is the layout of worker:<id>:started. Ruby: Time#to_s.
	Started = "2006-01-02 15:04:05 -0700"
	// FailedAt is the layout of failed_at and retried_at.
	// Ruby: Resque::Failure::Redis#save.
	FailedAt = "2006/01/02 15:04:05 MST"
)

// FormatRunAt formats t as run_at of a worker's record.
func FormatRunAt(t time.Time) string { return t.UTC().Format(RunAt) }

// FormatHeartbeat formats t as a heartbeat.
func FormatHeartbeat(t time.Time) string { return t.UTC().Format(Heartbeat) }

// FormatStarted formats t as the value of worker:<id>:started.
func FormatStarted(t time.Time) string { return t.Format(Started) }

// FormatFailedAt formats t as failed_at of a failure's record. The zone is always UTC,
// because the names of other zones cannot be parsed reliably.
func FormatFailedAt(t time.Time) string { return t.UTC().Format(FailedAt) }

// RunAts formats n times as FormatRunAt does. The first is t, and each further one is a
// nanosecond later.
func RunAts(t time.Time, n int) []string {
	all := make([]string, n)
	text := make([]byte, 0, n*len(RunAt))
	second := t.Truncate(time.Second)
	head := FormatRunAt(second)
	for i := range all {
		fraction := int(t.Sub(second)) + i
		if fraction >= int(time.Second) {
			second = second.Add(time.Second)
			head, fraction = FormatRunAt(second), fraction-int(time.Second)
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
