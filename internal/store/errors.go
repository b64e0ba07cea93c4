package store

import (
	"errors"
	"io"
	"strings"
	"syscall"

	"github.com/gomodule/redigo/redis"
)

// NotSentError wraps the error of a call that was not sent to Redis: nothing was
// written.
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

// Closed reports whether err is that of a connection that the other side had closed. The call
// may have been done. On Windows it may miss such errors.
func Closed(err error) bool {
	var notSent *NotSentError
	return !errors.As(err, &notSent) &&
		(errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// Refused reports whether err is an answer of Redis, such as out of memory, read only
// or a wrong type: Redis was reached and did not run the command.
func Refused(err error) bool {
	var answer redis.Error
	var half *halfDoneError
	return errors.As(err, &answer) && !errors.As(err, &half)
}

// Unsupported reports whether Redis answered that it will never run a command: the
// command is unknown, or the user has no permission for it. A Redis that is loading,
// busy, a replica or full may run it later.
func Unsupported(err error) bool {
	var answer redis.Error
	if !errors.As(err, &answer) || strings.HasPrefix(string(answer), "ERR max number of clients") {
		return false
	}
	return strings.HasPrefix(string(answer), "ERR ") || strings.HasPrefix(string(answer), "NOPERM ")
}

// Passes reports whether err is an answer of Redis that may be another one later, such as
// that it is read only. A key of another type and a mistake in a script stay what they are.
func Passes(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer) && !strings.HasPrefix(string(answer), "WRONGTYPE") && !strings.HasPrefix(string(answer), "ERR")
}

// Plain returns err without two things that Redis adds: where in a script the error
// happened, and the arguments of an unknown command, which may be secret. Errors that
// are not answers of Redis are returned unchanged.
func Plain(err error) error {
	answer, ok := err.(redis.Error) //nolint:errorlint // an error that wraps one has its own text
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

// scriptError returns the text after the line numbers in Redis 6's error about a
// script. If the error is the answer to a command of the script, that text begins with
// an error code in upper case. If it is a mistake of the script, ERR is added.
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
