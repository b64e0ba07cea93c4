package wire

import (
	"time"
)

// Layouts that Resque writes.
const (
	// RunAt is the layout of a worker record's run_at. Ruby: Time#iso8601, to
	// which goresque adds a fraction (Ruby reads it) that makes each reserve's
	// record unique.
	RunAt = "2006-01-02T15:04:05.000000000Z"
	// Heartbeat is the layout of a heartbeat. Ruby: Time#iso8601.
	Heartbeat = "2006-01-02T15:04:05-07:00"
	// Started is the layout of worker:<id>:started. Ruby: Time#to_s.
	Started = "2006-01-02 15:04:05 -0700"
	// FailedAt is the layout of failed_at and retried_at.
	// Ruby: Resque::Failure::Redis#save.
	FailedAt = "2006/01/02 15:04:05 MST"
)

// FormatRunAt returns t as a worker's record has it.
func FormatRunAt(t time.Time) string { return t.UTC().Format(RunAt) }

// FormatHeartbeat returns t as a heartbeat.
func FormatHeartbeat(t time.Time) string { return t.UTC().Format(Heartbeat) }

// FormatStarted returns t as worker:<id>:started has it.
func FormatStarted(t time.Time) string { return t.Format(Started) }

// FormatFailedAt returns t as a failure's record has it. The zone is always UTC:
// the names of other zones cannot be read back reliably.
func FormatFailedAt(t time.Time) string { return t.UTC().Format(FailedAt) }

// RunAts returns n times as workers' records have them, the first t and each
// other one a nanosecond after the one before it.
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
