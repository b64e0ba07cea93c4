package cron

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/pattern"
)

// minEvery is the interval at which rufus-scheduler looks at the clock. It refuses
// shorter intervals.
const minEvery = 300 * time.Millisecond

// maxEvery is about the longest time.Duration.
const maxEvery = 290 * 365 * 24 * time.Hour

// ParseEvery reads the interval of a schedule's "every", such as 1h30m, 15mins,
// PT1H, 1M for 30 days, or 90 for seconds. It refuses what rufus-scheduler refuses,
// also what is shorter than 0.3 seconds.
func ParseEvery(text string) (time.Duration, error) {
	d, err := ParseDuration(text)
	switch {
	case err != nil:
		return 0, err
	case d <= 0:
		return 0, fmt.Errorf("invalid interval %q: it must be positive", text)
	case d < minEvery:
		return 0, fmt.Errorf("invalid interval %q: rufus-scheduler refuses intervals below %v", text, minEvery)
	default:
		return d, nil
	}
}

// ParseDuration reads a duration of rufus-scheduler, such as that of "first_in".
// Ruby: Fugit::Duration.parse.
func ParseDuration(text string) (time.Duration, error) {
	if len(text) > maxLength {
		return 0, fmt.Errorf("invalid duration: it has %d bytes, at most %d are allowed", len(text), maxLength)
	}
	trimmed := strings.Trim(text, " \t\n\v\f\r")
	seconds, ok := plainSeconds(trimmed)
	if !ok {
		seconds, ok = isoSeconds(trimmed)
	}
	switch {
	case !ok:
		return 0, fmt.Errorf("invalid duration %q: write, for example, 90s, 15m, 1h30m, 1d or 1w", text)
	case math.Abs(seconds) > maxEvery.Seconds():
		return 0, fmt.Errorf("invalid duration %q: it is longer than 290 years", text)
	default:
		return time.Duration(math.Round(seconds * float64(time.Second))), nil
	}
}

var (
	plainPart = pattern.Pattern{Text: `^([-+]?)(\d+\.\d*|(?:\d*\.)?\d+)(?: *(?i:(y(?:ears?)?|w(?:eeks?)?|d(?:ays?)?|h(?:ours?)?|s(?:ec(?:ond)?)?s?))|` +
		` *(M|months?|m(?:in(?:ute)?s?)?)|$)`}
	separator = pattern.Pattern{Text: `^(?i:[ \t,]+|and)+`}
	isoText   = pattern.Pattern{Text: `^P((?:-?\d+[YMWD])*)(?:T((?:-?\d+[HM]|-?(?:\d*\.)?\d+S)+))?$`}
	isoPart   = pattern.Pattern{Text: `(-?[\d.]+)([A-Z])`}
)

// plainSeconds reads 1h30m, 1 hour and 30 minutes, or -5.
func plainSeconds(text string) (float64, bool) {
	sum, sign := 0.0, 1.0
	for first := true; first || text != ""; first = false {
		if text == "" {
			return 0, true // Ruby reads an empty text as 0
		}
		blank := separator.Regexp().FindString(text)
		if first && blank != "" {
			return 0, false
		}
		text = text[len(blank):]
		m := plainPart.Regexp().FindStringSubmatch(text)
		if m == nil {
			return 0, false
		}
		text = text[len(m[0]):]
		number, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return 0, false
		}
		if m[1] != "" || blank != "" { // a sign is for all parts up to the next blank or sign
			sign = 1
		}
		if m[1] == "-" {
			sign = -1
		}
		sum += sign * number * unit(m[3], m[4])
	}
	return sum, true
}

// unit returns the seconds of a unit, or 1 if there is none.
func unit(anyCase, exact string) float64 {
	switch {
	case exact == "M" || strings.HasPrefix(exact, "mo"):
		return 30 * 86400
	case exact != "":
		return 60
	case anyCase == "":
		return 1
	}
	return isoUnit(strings.ToUpper(anyCase[:1]))
}

func isoUnit(letter string) float64 {
	switch letter {
	case "Y":
		return 365 * 86400
	case "W":
		return 7 * 86400
	case "D":
		return 86400
	case "H":
		return 3600
	default:
		return 1
	}
}

// isoSeconds reads P1DT12H.
func isoSeconds(text string) (float64, bool) {
	m := isoText.Regexp().FindStringSubmatch(strings.ToUpper(text))
	if m == nil {
		return 0, false
	}
	sum := 0.0
	for i, part := range m[1:] {
		for _, p := range isoPart.Regexp().FindAllStringSubmatch(part, -1) {
			number, err := strconv.ParseFloat(p[1], 64)
			if err != nil {
				return 0, false
			}
			switch {
			case p[2] == "M" && i == 0:
				sum += number * 30 * 86400
			case p[2] == "M":
				sum += number * 60
			default:
				sum += number * isoUnit(p[2])
			}
		}
	}
	return sum, true
}
