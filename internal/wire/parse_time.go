package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
)

// Time is the result of ParseTime. The zero Time is an unknown time.
type Time struct {
	time.Time

	// Zoneless means that the text has no zone. The time is then read as UTC, and the
	// actual time is between Earliest and Latest.
	Zoneless bool
}

// The time zones of the world are between UTC-12 and UTC+14.
const (
	west = 12 * time.Hour
	east = 14 * time.Hour
)

// Earliest returns the earliest time that the text can mean.
func (t Time) Earliest() time.Time {
	if t.Zoneless {
		return t.Add(-east)
	}
	return t.Time
}

// Latest returns the latest time that the text can mean.
func (t Time) Latest() time.Time {
	if t.Zoneless {
		return t.Add(west)
	}
	return t.Time
}

// ErrUnknownZone is the error about a time whose zone is not known or ambiguous.
var ErrUnknownZone = errors.New("unknown time zone")

// ParseTime parses a time in any form that an implementation of Resque writes: ISO 8601
// with or without a zone, Ruby's Time#to_s and strftime("%Y/%m/%d %H:%M:%S %Z"), RFC
// 2822, the forms of ctime in PHP and C, Go's Time.String, JavaScript's Date, and Unix
// seconds or milliseconds. The result is in UTC, and not zero if err is nil. A text
// without a zone is read as UTC and Zoneless is set. If the zone is not known (see
// zoneOffset) the error wraps ErrUnknownZone, because reading it as UTC would give a
// wrong time.
func ParseTime(text string) (Time, error) {
	if strings.HasSuffix(text, " UTC") { // failed_at, the most frequent form
		if at, err := time.Parse(FailedAt, text); err == nil {
			return known(at, false, text)
		}
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return known(at, false, text)
	}
	if at, ok := unixTime(strings.TrimSpace(text), 1e8); ok { // a smaller number is a year, or a date without separators
		return known(at, false, text)
	}
	date, zone, mail := splitZone(text)
	at, ok := parseDate(date)
	if !ok {
		return Time{}, invalid(text)
	}
	if zone == "" {
		return known(at, true, text)
	}
	offset, ok := zoneOffset(zone, mail)
	if !ok {
		return Time{}, fmt.Errorf("%w in %.60q", ErrUnknownZone, text)
	}
	return known(at.Add(-offset), false, text)
}

// known returns at in UTC, or an error if it is the zero time of a program.
func known(at time.Time, zoneless bool, text string) (Time, error) {
	if at.Year() <= 1 {
		return Time{}, invalid(text)
	}
	return Time{at.UTC(), zoneless}, nil
}

func invalid(text string) error { return fmt.Errorf("invalid time %.60q", text) }

// ParseTimeJSON parses a time in a JSON string or number. It returns the text of the
// string or number even if that is not a time. ok is false if value is neither.
func ParseTimeJSON(value []byte) (at Time, text string, ok bool) {
	if len(value) > 0 && (value[0] == '-' || value[0] >= '0' && value[0] <= '9') {
		unix, _ := unixTime(string(value), 1)
		return Time{Time: unix}, string(value), true
	}
	if text, ok = rubyjson.Text(value); ok {
		at, _ = ParseTime(text)
	}
	return at, text, ok
}

// unixTime parses a number of seconds since 1970, which must be at least least and may
// have a fraction. Numbers that would be seconds after the year 5000 are milliseconds.
func unixTime(text string, least float64) (time.Time, bool) {
	if strings.Trim(text, "0123456789.eE+") != "" {
		return time.Time{}, false
	}
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return time.Time{}, false
	case n >= least && n < 1e11:
		return time.UnixMicro(int64(n * 1e6)).UTC(), true // a float's seconds are exact to a microsecond
	case n >= 1e11 && n < 1e14:
		return time.UnixMilli(int64(n)).UTC(), true
	}
	return time.Time{}, false
}

// splitZone separates the zone from the date and time of day. mail reports whether the
// form is that of RFC 2822, which defines the American names.
func splitZone(text string) (date, zone string, mail bool) {
	text, _, _ = strings.Cut(text, " (")  // JavaScript's and RFC 2822's comment
	text, _, _ = strings.Cut(text, " m=") // Go's monotonic clock
	words := strings.Fields(text)
	if len(words) > 1 && isWeekday(words[0]) {
		mail = strings.HasSuffix(words[0], ",")
		words = words[1:]
	}
	rest := words[:0]
	for _, word := range words {
		clock, attached := cutClock(word)
		switch {
		case clock != "":
			rest = append(rest, clock)
			if attached != "" {
				zone = attached
			}
		case isZone(word) && !isMonth(word):
			if zone == "" { // Go writes the offset and then the name
				zone = word
			}
		default:
			rest = append(rest, word)
		}
	}
	return strings.Join(rest, " "), zone, mail
}

// cutClock separates the zone from a word that contains a time of day, such as
// 2026-01-15T12:00:00+01:00 or 12:00:00Z. clock is empty for other words.
func cutClock(word string) (clock, zone string) {
	from := strings.IndexByte(word, ':')
	if from < 0 {
		from = strings.IndexByte(word, 'T') // ISO 8601 without separators
	}
	if from <= 0 || word[0] < '0' || word[0] > '9' {
		return "", ""
	}
	if at := strings.IndexAny(word[from+1:], "Zz+-"); at >= 0 {
		at += from + 1
		return word[:at], word[at:]
	}
	return word, ""
}

func isWeekday(word string) bool {
	word = strings.TrimSuffix(word, ",")
	for day := time.Sunday; day <= time.Saturday; day++ {
		if name := day.String(); word == name || word == name[:3] {
			return true
		}
	}
	return false
}

func isMonth(word string) bool {
	for month := time.January; month <= time.December; month++ {
		if name := month.String(); word == name || word == name[:3] {
			return true
		}
	}
	return false
}

// isZone reports whether a word can be a zone: a sign and digits, or a name, with or
// without an offset after it.
func isZone(word string) bool {
	name := strings.TrimRight(word, "0123456789:+-")
	if name == "" {
		return word[0] == '+' || word[0] == '-'
	}
	return strings.IndexFunc(name, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '/' && r != '_'
	}) < 0
}

// dateLayouts returns the layouts of times without weekday and zone. time.Parse accepts
// a fraction of a second in each of them.
func dateLayouts() []string {
	return []string{
		"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006/01/02 15:04:05", // ISO 8601 and Ruby
		"Jan 2 15:04:05 2006",                     // ctime
		"Jan 2 2006 15:04:05",                     // JavaScript
		"2 Jan 2006 15:04:05", "2 Jan 2006 15:04", // RFC 2822
		"2 Jan 06 15:04:05",                        // RFC 822
		"2-Jan-06 15:04:05", "2-Jan-2006 15:04:05", // RFC 850, and PHP's cookies
		"2006-01-02T15:04", "2006-01-02 15:04", // without seconds
		"20060102T150405", "20060102T1504", time.DateOnly,
	}
}

func parseDate(text string) (time.Time, bool) {
	for _, layout := range dateLayouts() {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
