package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Intervals are the settings of a worker by which other workers decide whether it is
// dead, and those of its queues that its id does not have.
type Intervals struct {
	Heartbeat time.Duration // the time between two heartbeats
	Prune     time.Duration // how long a worker may be silent
	Excluded  string        // the queues that its patterns do not match, as in "!a,!b"
}

// DefaultIntervals returns the intervals of a worker that has published none, which are
// Ruby's.
//
// Ruby: Resque.heartbeat_interval and Resque.prune_interval.
func DefaultIntervals() Intervals {
	return Intervals{Heartbeat: time.Minute, Prune: 5 * time.Minute}
}

// Longer returns the longer intervals of i and of o.
func (i Intervals) Longer(o Intervals) Intervals {
	return Intervals{Heartbeat: max(i.Heartbeat, o.Heartbeat), Prune: max(i.Prune, o.Prune)}
}

// published returns the text of i in Redis: both intervals in seconds, and the excluded
// queues if there are any. It is empty for the default intervals, which are not published.
func (i Intervals) published() string {
	if i == DefaultIntervals() || i == (Intervals{}) {
		return ""
	}
	seconds := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
	text := seconds(i.Heartbeat) + " " + seconds(i.Prune)
	if i.Excluded != "" {
		text += " " + i.Excluded
	}
	return text
}

// parseIntervals parses a text that published returned.
func parseIntervals(text string) (Intervals, error) {
	heartbeat, rest, _ := strings.Cut(text, " ")
	prune, excluded, _ := strings.Cut(rest, " ")
	seconds := func(text string) time.Duration {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n <= 0 || n > maxInterval.Seconds() {
			return 0
		}
		return time.Duration(n * float64(time.Second))
	}
	i := Intervals{Heartbeat: seconds(heartbeat), Prune: seconds(prune), Excluded: excluded}
	if i.Heartbeat <= 0 || i.Prune <= 0 || strings.Contains(rest, " ") && !strings.HasPrefix(excluded, "!") {
		return Intervals{}, fmt.Errorf("invalid intervals %q", text)
	}
	return i, nil
}

// maxInterval is the longest interval that is believed: a damaged text must not keep a
// dead worker for ever.
const maxInterval = 30 * 24 * time.Hour
