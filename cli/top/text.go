package top

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"charm.land/lipgloss/v2"

	"github.com/goresque/goresque/internal/termtext"
	"github.com/goresque/goresque/resque"
)

// texts writes texts from Redis for a terminal.
type texts struct {
	ascii bool // the terminal does not show other characters
}

// line returns a text on one line of at most so many columns. It looks only at as many
// bytes as may be shown.
func (t texts) line(text string, columns int) string {
	start := cutBytes(text, 8*columns)
	line := t.clean(strings.Join(strings.Fields(start), " "))
	if len(start) < len(text) && width(line) <= columns {
		line += t.ellipsis()
	}
	return t.cut(line, columns)
}

// cut shortens a clean text to so many columns.
func (t texts) cut(text string, columns int) string {
	if len(text) <= columns || width(text) <= columns {
		return text
	}
	dots := t.ellipsis()
	left, end := columns-width(dots), 0
	for at, r := range text {
		if left -= runeWidth(r); left < 0 {
			break
		}
		end = at + utf8.RuneLen(r)
	}
	if columns < width(dots) {
		return ""
	}
	return text[:end] + dots
}

// pad returns a text with exactly so many columns.
func (t texts) pad(text string, columns int, right bool) string {
	text = t.cut(text, columns)
	space := strings.Repeat(" ", max(columns-width(text), 0))
	if right {
		return space + text
	}
	return text + space
}

// clean escapes what a terminal would obey, what it would not show, and what terminals
// show with different widths.
func (t texts) clean(text string) string {
	marks := 0
	return termtext.Escape(text, func(r rune) bool {
		if r < utf8.RuneSelf {
			marks = 0
			return unicode.IsPrint(r)
		}
		if !unicode.IsMark(r) {
			marks = 0
		} else if marks++; marks > 2 {
			return false
		}
		return !t.ascii && unicode.IsPrint(r) && !isUncertain(r)
	})
}

// isUncertain reports whether terminals disagree about the width of a character: parts of
// flags, tones of skin, selectors of variants, and parts of Korean syllables.
func isUncertain(r rune) bool {
	return r >= 0x1f1e6 && r <= 0x1f1ff || r >= 0x1f3fb && r <= 0x1f3ff || r >= 0xfe00 && r <= 0xfe0f ||
		r >= 0x1160 && r <= 0x11ff || r >= 0xd7b0 && r <= 0xd7ff
}

func (t texts) ellipsis() string {
	if t.ascii {
		return "..."
	}
	return "…"
}

// wrap divides a clean text into lines of at most so many columns.
func wrap(text string, columns int) []string {
	var lines []string
	start, used := 0, 0
	for at, r := range text {
		w := runeWidth(r)
		if used+w > columns && at > start {
			lines = append(lines, text[start:at])
			start, used = at, 0
		}
		used += w
	}
	return append(lines, text[start:])
}

func width(text string) int {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return wideWidth(text)
		}
	}
	return len(text)
}

func wideWidth(text string) (columns int) {
	for _, r := range text {
		columns += runeWidth(r)
	}
	return columns
}

func runeWidth(r rune) int {
	if r < utf8.RuneSelf {
		return 1
	}
	return lipgloss.Width(string(r))
}

// cutBytes returns the beginning of a text, without half characters.
func cutBytes(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// argsText returns the beginning of a job's arguments, as they are written in its payload.
func argsText(args []json.RawMessage, most int) string {
	if resque.IsEncrypted(args) {
		return resque.EncryptedArgs
	}
	text := []byte("[")
	for i, arg := range args {
		if i > 0 {
			text = append(text, ',')
		}
		if text = append(text, arg[:min(len(arg), most)]...); len(text) > most {
			return cutBytes(string(text), most) + "…"
		}
	}
	return string(append(text, ']'))
}

// ago returns a duration in one or two characters and a unit.
func ago(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

// since is like ago, for the time between two moments. It returns "" if one is not known.
func since(at, now time.Time) string {
	if at.IsZero() || now.IsZero() {
		return ""
	}
	return ago(now.Sub(at))
}

// grouped returns a number with commas.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(int64(n)) + " " + many
}
