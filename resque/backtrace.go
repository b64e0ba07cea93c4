package resque

import (
	"bytes"
	"strings"
)

// rubyFrames turns a stack of runtime/debug into Ruby's "file:line:in `func'",
// from the panic outwards. The frames of the panic itself are left out.
func rubyFrames(stack []byte) []string {
	frames := []string{}
	lines := strings.Split(string(bytes.TrimSpace(stack)), "\n")
	if len(lines) > 0 && strings.HasPrefix(lines[0], "goroutine ") {
		lines = lines[1:]
	}
	for i := 0; i+1 < len(lines); i += 2 {
		if strings.HasPrefix(lines[i], "...") { // "...12 frames elided...", a line of its own
			i++
		}
		if i+1 >= len(lines) {
			break
		}
		fn, at := lines[i], strings.TrimSpace(lines[i+1])
		if strings.HasPrefix(fn, "panic(") {
			frames = frames[:0] // what came before is how the panic was caught
			continue
		}
		at, _, _ = strings.Cut(at, " +0x")
		frames = append(frames, at+":in `"+functionName(fn)+"'")
	}
	return frames
}

// functionName is a stack's function without its arguments' words.
func functionName(fn string) string {
	fn, _, _ = strings.Cut(strings.TrimPrefix(fn, "created by "), " in goroutine ")
	if open := strings.LastIndexByte(fn, '('); open > 0 && strings.HasSuffix(fn, ")") {
		return fn[:open]
	}
	return fn
}
