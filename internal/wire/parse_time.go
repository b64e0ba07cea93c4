package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
)

// Time is a time that ParseTime has read. The zero Time is an unknown time.
type Time struct {
	time.Time

	// Zoneless reports that the text names no zone. The time is then read as UTC,
	// and Earliest and Latest bound what it may have been.
	Zoneless bool
}

// The zones of the world lie between UTC-12 and UTC+14.
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

// ErrUnknownZone is wrapped by the error about a time whose zone has a name that
// can mean several offsets, or that is not known.
var ErrUnknownZone = errors.New("unknown time zone")

// ParseTime reads a time as any implementation of Resque writes it: ISO 8601
// with or without a zone, Ruby's Time#to_s and strftime("%Y/%m/%d %H:%M:%S %Z"),
// RFC 2822, the forms of PHP's and C's ctime, Go's Time.String, JavaScript's Date,
// and Unix seconds or milliseconds. The result is in UTC, and never zero if err
// is nil. A text without a zone is read as UTC and marked as Zoneless. If a zone
// is named that cannot be resolved (see zoneOffset) the error wraps
// ErrUnknownZone: to read it as UTC would be a wrong time.
func ParseTime(text string) (Time, error) {
	if strings.HasSuffix(text, " UTC") { // failed_at, by far the most frequent
		if at, err := time.Parse(FailedAt, text); err == nil {
			return known(at, false, text)
		}
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return known(at, false, text)
	}
	if at, ok := unixTime(strings.TrimSpace(text), 1e8); ok { // less is a year, or a date without separators
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

// known returns at unless it is a program's way to say that there is no time.
func known(at time.Time, zoneless bool, text string) (Time, error) {
	if at.Year() <= 1 {
		return Time{}, invalid(text)
	}
	return Time{at.UTC(), zoneless}, nil
}

func invalid(text string) error { return fmt.Errorf("invalid time %.60q", text) }

// ParseTimeJSON reads a time from a JSON string or number, and returns its text
// even if it is not a time. ok is false if value is neither.
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

// unixTime reads at least so many seconds since 1970, with or without a fraction,
// or milliseconds: numbers that would be seconds after the year 5000.
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

// splitZone separates the zone from the date and time of day. mail reports that
// the form is RFC 2822's, in which the American names are defined.
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

// cutClock cuts the zone off a word that ends in a time of day, such as
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

// isZone reports whether a word of its own can be a zone: a sign and digits, or
// a name, with or without an offset behind it.
func isZone(word string) bool {
	name := strings.TrimRight(word, "0123456789:+-")
	if name == "" {
		return word[0] == '+' || word[0] == '-'
	}
	return strings.IndexFunc(name, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '/' && r != '_'
	}) < 0
}

// dateLayouts are what is left without weekday and zone. A fraction of a second
// is read in each of them.
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
