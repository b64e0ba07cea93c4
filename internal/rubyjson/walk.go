package rubyjson

import "encoding/json"

// Member is a member of an object, with the position of its value in the text.
type Member struct {
	Name       string
	Start, End int // of the value
}

// Value returns the member's value. text is the text that was passed to
// [Members].
func (m Member) Value(text []byte) json.RawMessage { return text[m.Start:m.End:m.End] }

// Members returns the members of the object in text, in their order. Several may
// have the same name; in Ruby the last one counts. ok is false if text is not a
// valid JSON object.
func Members(text []byte) (members []Member, ok bool) {
	s := scanner{raw: text}
	s.space()
	if s.peek() != '{' {
		return nil, false
	}
	more, err := s.open('}', 0)
	for more && err == nil {
		var name []byte
		if name, err = s.key(); err != nil {
			break
		}
		m := Member{Name: stringOf(name), Start: s.pos}
		if err = s.value(1); err == nil {
			m.End = s.pos
			members = append(members, m)
			more, err = s.next('}', "',' or '}'")
		}
	}
	if err == nil {
		err = s.end()
	}
	return members, err == nil
}

// Item is the position of an item of an array in the text.
type Item struct{ Start, End int }

// Value returns the item's value. text is the text that was passed to [Items].
func (i Item) Value(text []byte) json.RawMessage { return text[i.Start:i.End:i.End] }

// Items returns the items of the array in text. ok is false if text is not a valid
// JSON array.
func Items(text []byte) (items []Item, ok bool) {
	s := scanner{raw: text}
	s.space()
	if s.peek() != '[' {
		return nil, false
	}
	more, err := s.open(']', 0)
	for more && err == nil {
		start := s.pos
		if err = s.value(1); err == nil {
			items = append(items, Item{start, s.pos})
			more, err = s.next(']', "',' or ']'")
		}
	}
	if err == nil {
		err = s.end()
	}
	return items, err == nil
}

// Text decodes the JSON string in text. ok is false if text is not one.
func Text(text []byte) (s string, ok bool) {
	if len(text) < len(`""`) || text[0] != '"' || Valid(text) != nil {
		return "", false
	}
	end := len(text)
	for text[end-1] != '"' { // skip white space after the string
		end--
	}
	return stringOf(text[:end]), true
}
