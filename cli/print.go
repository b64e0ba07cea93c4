package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/goresque/goresque/internal/termtext"
	"github.com/goresque/goresque/resque"
)

// printJSON prints v as JSON on one line, without escaping < and >.
func (e *Env) printJSON(v any) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		fmt.Fprintln(e.Stderr, err)
	}
	_, _ = e.Stdout.Write(line.Bytes()) // run reports an error
}

// argsText returns arguments as they are written in a payload, unless they are encrypted.
func argsText(args []json.RawMessage) string {
	if resque.IsEncrypted(args) {
		return resque.EncryptedArgs
	}
	text := []byte("[")
	for i, arg := range args {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, arg...)
	}
	return string(append(text, ']'))
}

// oneLine returns the beginning of a text, on one line.
func oneLine(text string, most int) string {
	runes := []rune(harmless(strings.Join(strings.Fields(text), " ")))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}

// harmless writes characters that could control the terminal, or that it does not show,
// as JSON's escapes. A payload stays the same JSON.
func harmless(text string) string {
	return termtext.Escape(text, func(r rune) bool { return r == '\n' || r == '\t' || unicode.IsPrint(r) })
}
