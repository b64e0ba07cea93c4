package rubyjson

import "encoding/json"

// Member is a member of an object, as it stands in the text.
type Member struct {
	Name       string
	Start, End int // of the value
}

// Value is the member's value in the text that it was found in.
func (m Member) Value(text []byte) json.RawMessage { return text[m.Start:m.End:m.End] }

// Members lists the members of the object that text is, in their order, those
// of the same name too: to Ruby the last of them counts. ok is false where text
// is not an object, or not JSON.
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

// Item is an item of an array, as it stands in the text.
type Item struct{ Start, End int }

// Value is the item in the text that it was found in.
func (i Item) Value(text []byte) json.RawMessage { return text[i.Start:i.End:i.End] }

// Items lists the items of the array that text is. ok is false where text is
// not an array, or not JSON.
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

// Text reads the string that text is. ok is false where it is none.
func Text(text []byte) (s string, ok bool) {
	if len(text) < len(`""`) || text[0] != '"' || Valid(text) != nil {
		return "", false
	}
	end := len(text)
	for text[end-1] != '"' { // blanks
		end--
	}
	return stringOf(text[:end]), true
}
