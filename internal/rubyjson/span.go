package rubyjson

// Span is where a value stands in a text: text[Start:End]. The zero Span is
// that of a value which is not there.
type Span struct{ Start, End int }

// Of returns the value in text, which is nil where it is not there.
func (s Span) Of(text []byte) []byte {
	if s.End == 0 {
		return nil
	}
	return text[s.Start:s.End:s.End]
}

// Spans finds members of an object by their names, so that their bytes can be
// passed on or replaced where they stand. Of two members with one name the last
// counts, as in Ruby. The error is a [*SyntaxError] or [ErrNotObject].
func Spans(raw []byte, names ...string) ([]Span, error) {
	s := scanner{raw: raw}
	s.space()
	if s.peek() != '{' {
		if err := Valid(raw); err != nil {
			return nil, err
		}
		return nil, ErrNotObject
	}
	spans := make([]Span, len(names))
	more, err := s.open('}', 0)
	for more && err == nil {
		if err = s.field(names, spans); err == nil {
			more, err = s.next('}', "',' or '}'")
		}
	}
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, err
	}
	return spans, nil
}

// field steps over a member and notes where its value is, if it was asked for.
func (s *scanner) field(names []string, spans []Span) *SyntaxError {
	key, err := s.key()
	if err != nil {
		return err
	}
	start := s.pos
	if err = s.value(1); err != nil {
		return err
	}
	for i, name := range names {
		if isName(key, name) {
			spans[i] = Span{start, s.pos}
		}
	}
	return nil
}
