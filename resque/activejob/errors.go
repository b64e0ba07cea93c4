package activejob

import "errors"

var errNoClass = errors.New("activejob: jobs must be given a class")

// EnvelopeError reports a payload of Rails' wrapper class that has no job of
// ActiveJob inside.
type EnvelopeError struct{ Reason string }

func (e *EnvelopeError) Error() string { return "no job of ActiveJob: " + e.Reason }

// ExceptionName is the nearest class that Rails has for it.
func (e *EnvelopeError) ExceptionName() string { return "ActiveJob::DeserializationError" }
