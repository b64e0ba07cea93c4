package web

import (
	"fmt"
	"strings"
)

// t is a text of the interface in the reader's language. The English text is its
// name: every text that people read goes through here, so that a catalogue of
// another language has one place to be looked up.
func t(text string, args ...any) string {
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// tn is t for a number of things: one or several forms, as "1 job|%s jobs".
func tn(forms string, n int64) string {
	one, several, _ := strings.Cut(forms, "|")
	if n == 1 {
		return one
	}
	return fmt.Sprintf(several, grouped(n))
}
