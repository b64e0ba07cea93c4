package rubyjson

// Span is the position of a value in a text: text[Start:End]. The zero Span means
// that the value does not exist.
type Span struct{ Start, End int }

// Of returns the value in text, or nil for the zero Span.
func (s Span) Of(text []byte) []byte {
	if s.End == 0 {
		return nil
	}
	return text[s.Start:s.End:s.End]
}

// Spans returns the positions of the values of the named members of the object
// raw, so that their bytes can be copied or replaced. Of two members with the same
// name the last counts, as in Ruby. The error is a [*SyntaxError] or
// [ErrNotObject].
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

// SpansOfBeginning is like [Spans], but raw may be only the beginning of an object, or
// damaged. It returns the members before the end or the damage. The value of the last
// one may be cut; its span then ends at the end of raw.
func SpansOfBeginning(raw []byte, names ...string) []Span {
	spans := make([]Span, len(names))
	s := scanner{raw: raw}
	s.space()
	if s.peek() != '{' {
		return spans
	}
	more, err := s.open('}', 0)
	for more && err == nil {
		key, cut := s.key()
		if cut != nil {
			break
		}
		start := s.pos
		if err = s.value(1); err != nil {
			s.pos = len(raw)
		}
		for i, name := range names {
			if isName(key, name) && start < s.pos {
				spans[i] = Span{start, s.pos}
			}
		}
		if err == nil {
			more, err = s.next('}', "',' or '}'")
		}
	}
	return spans
}

// field skips a member and stores the position of its value if its name is one of
// names.
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
