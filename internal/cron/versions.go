package cron

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goresque/goresque/internal/pattern"
)

// ErrVersions is wrapped by the errors of [Parse] about a line that some versions of fugit
// read and others refuse, or that they read differently.
var ErrVersions = errors.New("versions of fugit disagree")

// versionsError is an error with its own text that wraps ErrVersions.
type versionsError struct{ text string }

func (e versionsError) Error() string { return e.text }

func (e versionsError) Unwrap() error { return ErrVersions }

func disagreef(format string, args ...any) error { return versionsError{fmt.Sprintf(format, args...)} }

// commas are those that newer versions of fugit ignore.
var commas = pattern.Pattern{Text: `(^|\s),+|,+(\s|$)|,(,)+`}

// newer returns the error about a line that Parse refuses. It wraps ErrVersions if newer
// versions of fugit read the line: since 1.6 and 1.7 they ignore blanks around it and more
// commas, since 1.7 they read & after a day, since 1.13 ~ in place of -, and since 1.11.2 a
// time zone after a word such as @daily.
func newer(text string, err error) error {
	if errors.Is(err, ErrVersions) {
		return err
	}
	plain := commas.Regexp().ReplaceAllString(strings.TrimSpace(text), "$1$2$3")
	plain = strings.NewReplacer("&", "", "~", "-").Replace(plain)
	if word, _, ok := strings.Cut(plain, " "); ok && strings.HasPrefix(word, "@") {
		plain = word
	}
	if plain == text {
		return err
	}
	if _, failed := parse(plain); failed != nil {
		return err
	}
	return versionsError{err.Error() + "; only newer versions of fugit read it"}
}
