package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// printJSON prints v as JSON on one line, without escaping < and >.
func (e *Env) printJSON(v any) {
	encoder := json.NewEncoder(e.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		fmt.Fprintln(e.Stderr, err)
	}
}

// oneLine returns the beginning of a text, on one line.
func oneLine(text string, most int) string {
	runes := []rune(harmless(strings.Join(strings.Fields(text), " ")))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}

// harmless replaces characters that could control the terminal.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
