package store

import (
	"errors"

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
