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

// halfDoneError is the error of a push whose job is in the queue, while Redis
// refused to make the queue known.
type halfDoneError struct{ err error }

func (e *halfDoneError) Error() string {
	return "the job is in the queue, but the queue is not known: " + e.err.Error()
}

func (e *halfDoneError) Unwrap() error { return e.err }

// Refused reports whether Redis itself answered with err (out of memory, read
// only, a wrong type): it is there, and it did not do what was asked.
func Refused(err error) bool {
	var answer redis.Error
	var half *halfDoneError
	return errors.As(err, &answer) && !errors.As(err, &half)
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

// Plain returns err without what Redis adds for those who look for a fault in a
// script, and without the arguments of a command that it does not know, which may
// be secret. Any error but an answer of Redis stays as it is.
func Plain(err error) error {
	answer, ok := err.(redis.Error) //nolint:errorlint // what wraps one has its own text
	if !ok {
		return err
	}
	text, _, _ := strings.Cut(string(answer), ", with args beginning with: ")
	if before, after, ok := strings.Cut(text, " script: "); ok && strings.Contains(after, ", on @user_script:") {
		text = before // Redis 7
	}
	if before, after, ok := strings.Cut(text, "): @user_script:"); ok && strings.HasPrefix(before, "ERR Error running script") {
		text = scriptError(after) // Redis 6
	}
	if after, ok := strings.CutPrefix(text, "ERR Error compiling script (new function): :"); ok {
		after, _, _ = strings.Cut(after, " stack traceback:") // the embedded server
		text = scriptError(after)
	}
	return redis.Error(text)
}

// scriptError is what is behind the lines' numbers in Redis 6's error about a
// script. An answer to one of the script's commands begins with its kind, and what
// the script did wrong does not.
func scriptError(text string) string {
	_, text, _ = strings.Cut(text, ": ")
	if after, ok := strings.CutPrefix(text, "@user_script: "); ok {
		_, text, _ = strings.Cut(after, ": ")
	}
	text = strings.TrimPrefix(text, "-")
	if kind, _, _ := strings.Cut(text, " "); kind != "" && kind == strings.ToUpper(kind) {
		return text
	}
	return "ERR " + text
}
