package cron

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/pattern"
)

// maxLength limits a line, so that an error can show it.
const maxLength = 500

// Parse reads a cron line. A line has five fields (minutes, hours, days of the month,
// months, days of the week), or six if it begins with seconds. A time zone such as
// Europe/Stockholm or +09:00 may follow; by default it is that of the process. A line
// may also be one of the words @yearly, @annually, @monthly, @weekly, @daily,
// @midnight, @noon and @hourly. docs/schedules.md lists what a field may be.
//
// Any version of fugit may read a schedule in Redis. So Parse refuses a line that some
// version refuses, that ends Ruby's scheduler, or that two versions read differently.
// The error names the field and the reason.
func Parse(text string) (*Schedule, error) {
	if len(text) > maxLength {
		return nil, fmt.Errorf("invalid cron line: it has %d bytes, at most %d are allowed", len(text), maxLength)
	}
	s, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("invalid cron line %q: %w", text, newer(text, err))
	}
	s.text = text
	if _, ok := s.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); !ok {
		return nil, fmt.Errorf("invalid cron line %q: no time in the next years matches it", text)
	}
	return s, nil
}

func parse(text string) (*Schedule, error) {
	line := text
	if strings.HasPrefix(text, "@") {
		if line = words(text); line == "" {
			return nil, errors.New("unknown word; the words are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @noon and @hourly, without a time zone")
		}
	}
	if strings.TrimSpace(line) != line {
		return nil, errors.New("remove the blanks at its beginning or end")
	}
	texts, zone, err := split(line)
	if err != nil {
		return nil, err
	}
	s := &Schedule{zone: zone}
	if len(texts) == 5 {
		texts = append([]string{"0"}, texts...)
	}
	var sets [5]set
	for i, f := range []field{seconds, minutes, hours, monthdays, monthNames} {
		if sets[i], err = f.parse(texts[i]); err != nil {
			return nil, err
		}
	}
	s.seconds, s.minutes, s.hours = sets[0].bits, sets[1].bits, sets[2].bits
	named, err := parseWeekdays(texts[5])
	if err != nil {
		return nil, err
	}
	if named != [7]weekday{} {
		s.weekdays = &named
	}
	return s, s.setDays(sets[3], sets[4])
}

func words(text string) string {
	switch text {
	case "@yearly", "@annually":
		return "0 0 1 1 *"
	case "@monthly":
		return "0 0 1 * *"
	case "@weekly":
		return "0 0 * * 0"
	case "@daily", "@midnight":
		return "0 0 * * *"
	case "@noon":
		return "0 12 * * *"
	case "@hourly":
		return "0 * * * *"
	default:
		return ""
	}
}

// split returns the five or six fields of a line, and its time zone.
func split(line string) ([]string, *time.Location, error) {
	texts := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	n := len(texts)
	if n < 5 {
		return nil, nil, fmt.Errorf("it has %d fields; write 5 or 6, and after them a time zone if needed", n)
	}
	last := texts[n-1]
	if n > 5 && looksLikeZone(last) {
		if strings.HasSuffix(strings.TrimSuffix(line, last), "\t") {
			return nil, nil, errors.New("write a space before the time zone, not a tab")
		}
		zone, err := parseZone(last)
		if err != nil {
			return nil, nil, err
		}
		return checkCount(texts[:n-1], zone)
	}
	return checkCount(texts, nil)
}

func checkCount(texts []string, zone *time.Location) ([]string, *time.Location, error) {
	if len(texts) > 6 {
		return nil, nil, fmt.Errorf("it has %d fields; write 5 or 6, and after them a time zone if needed; years are not supported", len(texts))
	}
	return texts, zone, nil
}

// looksLikeZone reports whether the last field is a time zone, or what is meant to
// be one, and not days of the week.
func looksLikeZone(text string) bool {
	_, _, err := weekdays.bound(text)
	return err != nil && (text[0] >= 'A' && text[0] <= 'Z' || text[0] == '+' || text[0] == '-' || strings.Contains(text, "/") && text[0] != '*' && text[0] != '/')
}

// parseZone accepts the zones that fugit and Go know.
func parseZone(text string) (*time.Location, error) {
	if m := zoneOffset.Regexp().FindStringSubmatch(text); m != nil {
		hours, _ := strconv.Atoi(m[2])
		minutes, _ := strconv.Atoi(m[3])
		offset := hours*3600 + minutes*60
		// Ruby: EtOrbi knows no others, and reads -00:15 as +00:15.
		if hours > 11 || m[1] == "-" && hours == 0 && minutes > 0 {
			return nil, fmt.Errorf("time zone %q: offsets are from -11:45 to +11:45, and from -00:45 to -00:15 are not possible; write a name", text)
		}
		if m[1] == "-" {
			offset = -offset
		}
		return time.FixedZone(text, offset), nil
	}
	if !zoneName.Regexp().MatchString(text) || text == "Local" {
		return nil, fmt.Errorf("time zone %q: write a name such as Europe/Stockholm, or an offset such as +09:00", text)
	}
	zone, err := time.LoadLocation(text)
	if err != nil {
		return nil, fmt.Errorf("time zone %q does not exist, or this machine does not know it", text)
	}
	return zone, nil
}

var (
	zoneOffset = pattern.Pattern{Text: `^([-+])([01][0-9]|2[0-4]):?(00|15|30|45)$`}
	zoneName   = pattern.Pattern{Text: `^[A-Z][a-zA-Z0-9+-]+(/[A-Z][a-zA-Z0-9+_-]+){0,2}$`}
)

// setDays sets the days and months, and leaves out the months that have none of
// the days. Ruby: Fugit::Cron#compact_month_days.
func (s *Schedule) setDays(days, months set) error {
	s.months = months.bits
	if days.all {
		return nil
	}
	if s.weekdays != nil && days.bits == monthdays.all() {
		return disagreef("days of the month %q: versions of fugit disagree on whether this means every day; write *", "1-31")
	}
	s.days = &monthDays{days.bits, days.fromEnd}
	if months.all || days.fromEnd != 0 {
		return nil
	}
	for month := 1; month <= 12; month++ {
		longest := time.Date(2024, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
		if days.bits&(1<<(longest+1)-1) == 0 {
			s.months &^= 1 << month
		}
	}
	if s.months == 0 {
		return fmt.Errorf("none of its months has a day %q", days.text)
	}
	return nil
}
