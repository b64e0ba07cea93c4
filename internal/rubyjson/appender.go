package rubyjson

import "errors"

// Appender is a value that writes itself, in whatever profile it stands: what
// MarshalJSON is not told.
type Appender interface {
	AppendRuby(dst []byte, at Place) ([]byte, error)
}

// Place is where in a text a value stands: in which profile, and below how many
// arrays and objects. The zero Place is the start of a plain one.
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

// Inside is the place inside an array or object that begins at at.
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
	if errors.As(err, &e) && error(e) == err { //nolint:errorlint // one that is wrapped has words around it to keep
		return dst, e
	}
	return dst, &EncodeError{Reason: err.Error(), Err: err}
}
