// Package termtext writes texts of Redis so that a terminal shows them and does not obey
// them. The commands of cli and of cli/top use it.
package termtext

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// Escape writes the characters for which shown returns false as JSON's escapes. A JSON
// text stays the same JSON if shown returns true for white space.
func Escape(text string, shown func(r rune) bool) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case shown(r):
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}
