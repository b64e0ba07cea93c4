package rubyjson

import (
	"bytes"
	"slices"
)

// Without returns the object in text without the members of the given names. All other
// bytes are unchanged. It returns text itself if it is not a valid JSON object or has
// none of these members.
func Without(text []byte, names ...string) []byte {
	members, ok := Members(text)
	if !ok || !slices.ContainsFunc(members, func(m Member) bool { return slices.Contains(names, m.Name) }) {
		return text
	}
	kept := make([]byte, 0, len(text))
	begin := bytes.IndexByte(text, '{') + 1
	kept = append(kept, text[:begin]...)
	empty := true
	for i, m := range members {
		from := begin // a member's text begins behind the one before, with the comma
		if i > 0 {
			from = members[i-1].End
		}
		if slices.Contains(names, m.Name) {
			continue
		}
		if empty && i > 0 {
			from += bytes.IndexByte(text[from:], ',') + 1
		}
		kept, empty = append(kept, text[from:m.End]...), false
	}
	return append(kept, text[members[len(members)-1].End:]...)
}

// Replace returns text with the value of a member of [Members] replaced.
func Replace(text []byte, m Member, value []byte) []byte {
	return slices.Concat(text[:m.Start], value, text[m.End:])
}
