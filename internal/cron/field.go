package cron

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// field is one of the fields of a line.
type field struct {
	name     string
	min, max int
	names    string // of three letters each, the first is for 0
}

//nolint:gochecknoglobals // constants
var (
	seconds    = field{"seconds", 0, 59, ""}
	minutes    = field{"minutes", 0, 59, ""}
	hours      = field{"hours", 0, 23, ""}
	monthdays  = field{"days of the month", 1, 31, ""}
	monthNames = field{"months", 1, 12, "   janfebmaraprmayjunjulaugsepoctnovdec"}
	weekdays   = field{"days of the week", 0, 7, "sunmontuewedthufrisat"}
)

// all returns the set of all values.
func (f field) all() uint64 { return 1<<(f.max+1) - 1<<f.min }

// set are the values of a field.
type set struct {
	text    string
	all     bool // there is a * in it
	bits    uint64
	fromEnd uint64 // days of the month, 1 is the last
}

// element is a part of a field, between commas. Without a first value it is a *.
type element struct {
	first, last *int
	step        int // 0 if there is none
	suffix      string
}

// parse reads a field other than the days of the week.
func (f field) parse(text string) (set, error) {
	values := set{text: text}
	for part := range strings.SplitSeq(text, ",") {
		e, err := f.element(part)
		if err == nil && e.suffix != "" {
			err = f.unreadable()
		}
		if err == nil {
			err = f.add(&values, e)
		}
		if err != nil {
			return set{}, fmt.Errorf("%s %q: %w", f.name, part, err)
		}
	}
	if values.all {
		values.bits, values.fromEnd = f.all(), 0
	}
	return values, nil
}

// add adds the values of an element. Ruby: Fugit::Cron#expand.
func (f field) add(to *set, e element) error {
	if e.first == nil {
		to.all = to.all || e.step <= 1
		for n := f.min; n <= f.max && e.step > 1; n += e.step {
			to.add(n, f)
		}
		return nil
	}
	first, last := *e.first, *e.first
	switch {
	case e.last != nil:
		last = *e.last
	case e.step == 1:
		return disagreef("versions of fugit disagree on a step of 1 without a range; write %d-%d or %d", first, f.max, first)
	case e.step > 1:
		last = f.max
	}
	switch {
	case first == 24 && f.name == hours.name && e.step > 0:
		return errors.New("hour 24 cannot be the beginning of a step; write 0")
	case first < 0 && last > 0:
		return errors.New("a range that begins with a day from the end must end with one; it would end Ruby's scheduler")
	case first > 0 && last < 0:
		last = f.max
	}
	f.addRange(to, first, last, max(e.step, 1))
	return nil
}

// addRange adds first to last, or first to the highest value and then from the
// lowest to last.
func (f field) addRange(to *set, first, last, step int) {
	lowest, highest := f.min, f.max
	if first < 0 {
		lowest, highest = -f.max, -1
	}
	for n, i := first, 0; ; i++ {
		if i%step == 0 {
			to.add(n, f)
		}
		if n == last {
			return
		}
		if n++; n > highest {
			n = lowest
			if last > highest { // hour 24
				last -= highest + 1
			}
		}
	}
}

func (s *set) add(n int, f field) {
	switch {
	case n < 0:
		s.fromEnd |= 1 << -n
	case n > f.max: // hour 24
		s.bits |= 1 << f.min
	default:
		s.bits |= 1 << n
	}
}

// parseWeekdays reads the days of the week. It returns none if any day matches.
// Ruby: Fugit::Cron#determine_weekdays.
func parseWeekdays(text string) (days [7]weekday, err error) {
	for part := range strings.SplitSeq(text, ",") {
		e, err := weekdays.element(part)
		if err == nil {
			err = addWeekdays(&days, e)
		}
		if err != nil {
			return days, fmt.Errorf("%s %q: %w", weekdays.name, part, err)
		}
	}
	return days, nil
}

func addWeekdays(days *[7]weekday, e element) error {
	switch {
	case e.suffix != "":
		return addSomeWeeks(days, e)
	case e.first == nil:
		for n := 0; n < 7 && e.step > 0; n += e.step {
			days[n] = weekday{matches: true}
		}
		return nil
	case e.last == nil: // Ruby: "mon/2" is Mondays
		days[*e.first%7] = weekday{matches: true}
		return nil
	}
	first, last := *e.first, *e.last
	if first > last {
		if e.step > 0 {
			return disagreef("versions of fugit disagree on a step in a range over the end of the week; list the days")
		}
		last += 7
	}
	for n := first; n <= last; n += max(e.step, 1) {
		days[n%7] = weekday{matches: true}
	}
	return nil
}

// addSomeWeeks adds "mon#2", the second Monday of a month, or "mon%2+1".
func addSomeWeeks(days *[7]weekday, e element) error {
	day := weekday{matches: true}
	var err error
	if nth, ok := strings.CutPrefix(e.suffix, "#"); ok {
		if day.nth, err = parseNth(nth); err != nil {
			return err
		}
	} else {
		mod, plus, hasPlus := strings.Cut(e.suffix[1:], "+")
		if day.mod, err = digits(mod, 3); err != nil || day.mod == 0 {
			return errors.New("write a number of weeks from 1 to 999 after the %")
		}
		if hasPlus {
			if day.plus, err = digits(plus, 3); err != nil {
				return errors.New("write a number of weeks from 0 to 999 after the +")
			}
		}
	}
	switch to := &days[*e.first%7]; {
	case !to.matches:
		*to = day
	case *to != day && *to != weekday{matches: true}:
		return disagreef("older versions of fugit ignore the second # or %% of a weekday or cannot read it; make two schedules")
	}
	return nil
}

func parseNth(text string) (int, error) {
	if low := strings.ToLower(text); low == "l" || low == "last" {
		return -1, nil
	}
	n, err := digits(strings.TrimPrefix(text, "-"), 1)
	if err != nil || n < 1 || n > 5 {
		return 0, errors.New("write 1 to 5, -1 to -5 or L after the #")
	}
	if text[0] == '-' {
		n = -n
	}
	return n, nil
}

// element reads *, 5, 1-5, any of these with a step such as /2, or /2 alone. Days
// of the week may have a suffix instead, #2 or %2.
func (f field) element(text string) (element, error) {
	var e element
	rest, star := strings.CutPrefix(text, "*")
	var err error
	if !star && !strings.HasPrefix(text, "/") {
		if e.first, rest, err = f.bound(text); err != nil {
			return element{}, err
		}
		if after, ok := strings.CutPrefix(rest, "-"); ok {
			if e.last, rest, err = f.bound(after); err != nil {
				return element{}, err
			}
		}
	}
	if step, ok := strings.CutPrefix(rest, "/"); ok {
		if e.step, err = digits(step, 2); err != nil || e.step == 0 {
			return element{}, errors.New("write a step from 1 to 99 after the /")
		}
		rest = ""
	}
	if rest != "" {
		if f.name != weekdays.name || e.first == nil || e.last != nil || rest[0] != '#' && rest[0] != '%' {
			return element{}, f.unreadable()
		}
		e.suffix = rest
	}
	return e, nil
}

// bound reads a value at the beginning of text and returns the rest.
func (f field) bound(text string) (value *int, rest string, err error) {
	low := strings.ToLower(text)
	for _, last := range []string{"last", "l"} {
		if f.name == monthdays.name && strings.HasPrefix(low, last) {
			end := -1
			return &end, text[len(last):], nil
		}
	}
	if len(low) >= 3 {
		if i := strings.Index(f.names, low[:3]); i >= 0 && i%3 == 0 && low[0] != ' ' {
			n := i / 3
			return &n, text[3:], nil
		}
	}
	unsigned := text
	if f.name == monthdays.name {
		unsigned = strings.TrimPrefix(text, "-")
	}
	length := 0
	for length < len(unsigned) && unsigned[length] >= '0' && unsigned[length] <= '9' {
		length++
	}
	n, err := digits(unsigned[:length], len(strconv.Itoa(f.max)))
	if err != nil || n < f.min || n > f.max && (f.name != hours.name || n != 24) {
		return nil, "", f.unreadable()
	}
	if unsigned != text {
		n = -n
	}
	return &n, unsigned[length:], nil
}

func (f field) unreadable() error {
	switch f.name {
	case monthdays.name:
		return errors.New("write 1 to 31, L or -1 to -31, *, a range, or a step such as */2")
	case monthNames.name:
		return errors.New("write 1 to 12, jan to dec, *, a range, or a step such as */2")
	case weekdays.name:
		return errors.New("write 0 to 7, sun to sat, *, a range, a step such as */2, or one day with #2 or %2")
	default:
		return fmt.Errorf("write %d to %d, *, a range, or a step such as */5", f.min, f.max)
	}
}

// digits reads a number of at most most digits.
func digits(text string, most int) (int, error) {
	if text == "" || len(text) > most || strings.Trim(text, "0123456789") != "" {
		return 0, fmt.Errorf("%q is not a number of at most %d digits", text, most)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("not a number: %w", err)
	}
	return n, nil
}
