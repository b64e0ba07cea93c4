package wire

import (
	"strconv"
	"strings"
	"time"
)

// zoneOffset returns how far a zone is ahead of UTC. ok is false if the name is not known
// or ambiguous.
//
// Known are offsets (+0100, -03, GMT+01:00), the names of UTC, and names for which the
// time zone database has a single offset since 2010. For ambiguous names:
//   - The American names are read as RFC 2822 defines them, and as Ruby's Time.parse
//     reads them. EST, EDT, MST and MDT have no other meaning today. PST is also used in
//     Manila and CDT in Havana. Both are rare, and such a time is read as a later one, so
//     that no filter takes a recent failure for an old one.
//   - CST means China as often as America. It is known only in the form of RFC 2822.
//   - IST (India, Ireland, Israel), MSK and KST, whose offsets have changed, and every
//     other name are unknown.
//
// The single letters of RFC 822 are unknown, except Z: according to RFC 2822 they were
// used with both signs.
func zoneOffset(zone string, mail bool) (offset time.Duration, ok bool) {
	for _, utc := range []string{"UTC", "GMT", "UT", "Z", "z"} {
		if rest, found := strings.CutPrefix(zone, utc); found {
			if rest == "" {
				return 0, true
			}
			return numericOffset(rest)
		}
	}
	if offset, ok := numericOffset(zone); ok {
		return offset, true
	}
	if zone == "CST" && mail {
		return -6 * time.Hour, true
	}
	minutes, ok := namedOffset(zone)
	return time.Duration(minutes) * time.Minute, ok
}

// numericOffset parses offsets such as +01, +0100 and +01:00.
func numericOffset(text string) (time.Duration, bool) {
	if text == "" || (text[0] != '+' && text[0] != '-') {
		return 0, false
	}
	digits := strings.Replace(text[1:], ":", "", 1)
	if len(digits) == 1 || len(digits) == 3 { // GMT+1, GMT+530
		digits = "0" + digits
	}
	if len(digits) == 2 {
		digits += "00"
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || len(digits) != 4 || n%100 > 59 || n > 1500 {
		return 0, false
	}
	offset := time.Duration(n/100)*time.Hour + time.Duration(n%100)*time.Minute
	if text[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// namedOffset returns how many minutes the named zone is ahead of UTC.
func namedOffset(name string) (minutes int, ok bool) {
	switch name {
	case "WET":
		return 0, true
	case "CET", "WEST", "MET", "BST", "WAT":
		return 60, true
	case "CEST", "MEST", "EET", "CAT", "SAST":
		return 120, true
	case "EEST", "EAT", "IDT":
		return 180, true
	case "PKT":
		return 300, true
	case "WIB":
		return 420, true
	case "AWST", "HKT", "WITA":
		return 480, true
	case "JST", "WIT":
		return 540, true
	case "ACST":
		return 570, true
	case "AEST", "ChST":
		return 600, true
	case "ACDT":
		return 630, true
	case "AEDT":
		return 660, true
	case "NZST":
		return 720, true
	case "NZDT":
		return 780, true
	case "NDT":
		return -150, true
	case "ADT":
		return -180, true
	case "NST":
		return -210, true
	case "AST", "EDT":
		return -240, true
	case "EST", "CDT":
		return -300, true
	case "MDT":
		return -360, true
	case "MST", "PDT":
		return -420, true
	case "PST", "AKDT":
		return -480, true
	case "AKST", "HDT":
		return -540, true
	case "HST":
		return -600, true
	case "SST":
		return -660, true
	default:
		return 0, false
	}
}
