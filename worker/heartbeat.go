package worker

import (
	"fmt"
	"time"
)

// parseHeartbeat reads a heartbeat as Go, Ruby and others write it.
//
// Ruby: Time.parse in Resque::Worker.all_workers_with_expired_heartbeats.
func parseHeartbeat(text string) (time.Time, error) {
	for _, layout := range []string{
		time.RFC3339Nano, // Ruby's Time#iso8601, with or without a fraction
		"2006-01-02 15:04:05 -0700",
		"2006-01-02 15:04:05 MST",
		"2006-01-02T15:04:05",
	} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is not a time", text)
}
