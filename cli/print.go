package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// printJSON writes v on one line, with < and > as they are.
func (e *Env) printJSON(v any) {
	encoder := json.NewEncoder(e.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		fmt.Fprintln(e.Stderr, err)
	}
}

// oneLine is a text's beginning, on one line.
func oneLine(text string, most int) string {
	runes := []rune(harmless(strings.Join(strings.Fields(text), " ")))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}

// harmless keeps what an error says from steering the terminal.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
