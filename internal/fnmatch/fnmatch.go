// Package fnmatch matches queue names against patterns as Ruby does.
package fnmatch

import (
	"strings"
	"unicode/utf8"
)

// Match reports whether name matches pattern, as Ruby's File.fnmatch? does without
// flags: * and ? match slashes, but not a dot at the beginning; [!a] and [^a]
// negate a set; a backslash quotes the next character; braces have no special
// meaning. path.Match differs in most of these.
func Match(pattern, name string) bool {
	if strings.HasPrefix(name, ".") && pattern != "" && strings.ContainsRune("*?[", rune(pattern[0])) {
		return false
	}
	return match(pattern, name)
}

// Closed reports whether each set in pattern has its closing bracket.
func Closed(pattern string) bool {
	for pattern != "" {
		if pattern[0] != '[' {
			_, pattern = setChar(pattern)
			continue
		}
		set := pattern[1:]
		for set != "" && set[0] != ']' {
			_, _, set = setRange(set)
		}
		if set == "" {
			return false
		}
		pattern = set[1:]
	}
	return true
}

// match compares pattern and name from left to right. After a mismatch it goes
// back to the last * and lets it match one more character.
func match(pattern, name string) bool {
	var retryPattern, retryName string
	retry := false
	for {
		switch {
		case pattern != "" && pattern[0] == '*':
			pattern = strings.TrimLeft(pattern, "*")
			if pattern == "" {
				return true
			}
			retryPattern, retryName, retry = pattern, name, true
			continue
		case pattern == "" && name == "":
			return true
		case pattern != "" && name != "":
			if p, n, ok := matchOne(pattern, name); ok {
				pattern, name = p, n
				continue
			}
		}
		if !retry || retryName == "" {
			return false
		}
		_, size := utf8.DecodeRuneInString(retryName)
		retryName = retryName[size:]
		pattern, name = retryPattern, retryName
	}
}

// matchOne matches name's first character and returns what follows in both.
func matchOne(pattern, name string) (restPattern, restName string, ok bool) {
	char, size := utf8.DecodeRuneInString(name)
	restName = name[size:]
	switch pattern[0] {
	case '?':
		return pattern[1:], restName, true
	case '[':
		restPattern, ok = matchSet(pattern[1:], char)
		return restPattern, restName, ok
	case '\\':
		if len(pattern) > 1 {
			pattern = pattern[1:]
		}
	}
	want, wantSize := utf8.DecodeRuneInString(pattern)
	return pattern[wantSize:], restName, want == char
}

// matchSet matches char against a set. set begins after the opening bracket. An
// unclosed set matches nothing.
func matchSet(set string, char rune) (rest string, ok bool) {
	negated := set != "" && (set[0] == '!' || set[0] == '^')
	if negated {
		set = set[1:]
	}
	found := false
	for set != "" && set[0] != ']' {
		low, high, rest := setRange(set)
		found = found || low <= char && char <= high
		set = rest
	}
	if set == "" {
		return "", false
	}
	return set[1:], found != negated
}

// setRange reads one character or range, such as a-z, of a set.
func setRange(set string) (low, high rune, rest string) {
	low, rest = setChar(set)
	if len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
		high, rest = setChar(rest[1:])
		return low, high, rest
	}
	return low, low, rest
}

func setChar(set string) (char rune, rest string) {
	if set[0] == '\\' && len(set) > 1 {
		set = set[1:]
	}
	char, size := utf8.DecodeRuneInString(set)
	return char, set[size:]
}
