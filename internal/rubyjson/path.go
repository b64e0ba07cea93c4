package rubyjson

import (
	"strconv"
	"strings"
)

// nest returns depth+1, or an error if that is too deep. The limit also ends the
// walk through a value that contains itself.
func nest(depth int) (int, *EncodeError) {
	if depth >= MaxNesting {
		return depth, errTooDeep()
	}
	return depth + 1, nil
}

func errTooDeep() *EncodeError {
	// Ruby: JSON::NestingError names the limit, not the level reached.
	return &EncodeError{Reason: "nesting of " + strconv.Itoa(MaxNesting) + " is too deep"}
}

// The path is built from the inside out while an error is returned, so that it
// costs nothing without one.

func (e *EncodeError) inIndex(i int) *EncodeError {
	return e.in("[" + strconv.Itoa(i) + "]")
}

func (e *EncodeError) inKey(key string) *EncodeError {
	if isWord(key) {
		return e.in("." + key)
	}
	return e.in("[" + strconv.Quote(key) + "]")
}

func (e *EncodeError) in(step string) *EncodeError {
	e.Path = step + e.Path
	return e
}

func isWord(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0
}
