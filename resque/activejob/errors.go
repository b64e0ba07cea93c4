package activejob

import "errors"

var errNoClass = errors.New("activejob: jobs must be given a class")

// EnvelopeError reports a payload of class [JobWrapper] that does not contain an
// ActiveJob job.
type EnvelopeError struct{ Reason string }

func (e *EnvelopeError) Error() string { return "not an ActiveJob job: " + e.Reason }

// ExceptionName returns the name of the closest Rails exception class.
func (e *EnvelopeError) ExceptionName() string { return "ActiveJob::DeserializationError" }
