package rubyjson

import "errors"

// Appender is implemented by values that write themselves in the profile of the
// text around them, which MarshalJSON does not know.
type Appender interface {
	AppendRuby(dst []byte, at Place) ([]byte, error)
}

// Place is the position of a value in a text: the profile of the text, and the
// number of arrays and objects around the value. The zero Place is the start of a
// text in the profile [Plain].
type Place struct {
	profile Profile
	depth   int
}

// Append appends v, as [Append] does.
func (at Place) Append(dst []byte, v any) ([]byte, error) {
	out, err := at.profile.appendValue(dst, v, at.depth)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// AppendString appends s, as [AppendString] does.
func (at Place) AppendString(dst []byte, s string) ([]byte, error) {
	return at.profile.AppendString(dst, s)
}

// Inside returns the place inside an array or object that begins at at. The error
// is an [*EncodeError]: the array or object is nested too deeply.
func (at Place) Inside() (Place, error) {
	depth, err := nest(at.depth)
	if err != nil {
		return at, err
	}
	return Place{at.profile, depth}, nil
}

func (p Profile) appendAppender(dst []byte, a Appender, depth int) ([]byte, *EncodeError) {
	out, err := a.AppendRuby(dst, Place{p, depth})
	if err == nil {
		return out, nil
	}
	var e *EncodeError
	if errors.As(err, &e) && error(e) == err { //nolint:errorlint // a wrapped one has text around it that must be kept
		return dst, e
	}
	return dst, &EncodeError{Reason: err.Error(), Err: err}
}
