package store

import (
	"errors"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// NotSentError wraps the cause of a call that never reached Redis: what it
// would have written is not there.
type NotSentError struct{ Err error }

func (e *NotSentError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *NotSentError) Unwrap() error { return e.Err }

// Refused reports whether Redis itself answered with err (out of memory, read
// only, a wrong type): it is there, and it did not do what was asked.
func Refused(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer)
}

// Unsupported reports whether Redis answered that it cannot or may not do what
// was asked, and will not another time: an unknown command, or a right that is
// missing. One that is loading, busy, a replica or full may do it later.
func Unsupported(err error) bool {
	var answer redis.Error
	if !errors.As(err, &answer) || strings.HasPrefix(string(answer), "ERR max number of clients") {
		return false
	}
	return strings.HasPrefix(string(answer), "ERR ") || strings.HasPrefix(string(answer), "NOPERM ")
}
