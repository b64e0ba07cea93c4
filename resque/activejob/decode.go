package activejob

import (
	"encoding/json"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
)

// Values returns the arguments of a job as Go values: nil, bool, string, json.Number
// (which keeps integers exact), []any, time.Time, and the types of this package. A
// value of an unknown serializer is an [Object].
//
// Ruby: ActiveJob::Arguments.deserialize, which also loads the records of GlobalIDs.
func Values(job *resque.Payload) []any {
	values := make([]any, len(job.Args))
	for i, arg := range job.Args {
		values[i] = decode(arg)
	}
	return values
}

// decode returns an argument as a Go value. It never fails: JSON that cannot be decoded
// is returned as raw.
func decode(raw json.RawMessage) any {
	if len(raw) == 0 {
		return raw
	}
	switch raw[0] {
	case '"':
		if s, ok := rubyjson.Text(raw); ok {
			return s
		}
	case '[':
		if items, ok := rubyjson.Items(raw); ok {
			return decodeItems(raw, items)
		}
	case '{':
		if members, ok := rubyjson.Members(raw); ok {
			return decodeObject(object{raw, members})
		}
	case 'n':
		return nil
	case 't', 'f':
		return raw[0] == 't'
	default:
		return json.Number(raw)
	}
	return raw
}

func decodeItems(raw json.RawMessage, items []rubyjson.Item) []any {
	values := make([]any, len(items))
	for i, item := range items {
		values[i] = decode(item.Value(raw))
	}
	return values
}

// object is a JSON object with the positions of its members.
type object struct {
	raw     json.RawMessage
	members []rubyjson.Member
}

// get returns the last member with that name, which is the one that Ruby uses.
func (o object) get(name string) (raw json.RawMessage, ok bool) {
	for _, m := range o.members {
		if m.Name == name {
			raw, ok = m.Value(o.raw), true
		}
	}
	return raw, ok
}

func (o object) text(name string) (s string, ok bool) {
	raw, ok := o.get(name)
	if !ok {
		return "", false
	}
	return rubyjson.Text(raw)
}

// pairs returns the members that are not marks.
func (o object) pairs(isMark func(string) bool) []Pair {
	pairs := make([]Pair, 0, len(o.members))
	at := map[string]int{}
	for _, m := range o.members {
		if isMark(m.Name) {
			continue
		}
		value := decode(m.Value(o.raw))
		if i, twice := at[m.Name]; twice {
			pairs[i].Value = value
			continue
		}
		at[m.Name] = len(pairs)
		pairs = append(pairs, Pair{Key: m.Name, Value: value})
	}
	return pairs
}

func decodeObject(o object) any {
	if id, ok := o.text(keyGlobalID); ok && len(o.members) == 1 {
		return GlobalID(id)
	}
	if _, ok := o.get(keySerialized); !ok {
		return decodeHash(o)
	}
	serializer, _ := o.text(keySerialized)
	if v, ok := decodeSerialized(serializer, o); ok {
		return v
	}
	return Object{Serializer: serializer, Fields: o.pairs(func(name string) bool { return name == keySerialized })}
}

// decodeHash returns a hash as ActiveJob::Arguments#deserialize_hash does: the first of
// the marks determines its kind, and that mark is not a key of the hash.
func decodeHash(o object) Hash {
	h := Hash{Kind: BareHash}
	mark := ""
	if raw, ok := o.get(keyIndifferent); ok && truthy(raw) {
		h.Kind, mark = IndifferentHash, keyIndifferent
	} else if raw, ok := o.get(keySymbols); ok && truthy(raw) {
		h.Kind, mark = AnyHash, keySymbols
	} else if raw, ok := o.get(keyKeywords); ok && truthy(raw) {
		h.Kind, mark = KeywordHash, keyKeywords
	}
	h.Pairs = o.pairs(func(name string) bool { return name == mark })
	if h.Kind != AnyHash && h.Kind != KeywordHash {
		return h
	}
	var symbols []string
	raw, _ := o.get(mark)
	if json.Unmarshal(raw, &symbols) != nil {
		return h
	}
	symbol := make(map[string]bool, len(symbols))
	for _, key := range symbols {
		symbol[key] = true
	}
	for i := range h.Pairs {
		h.Pairs[i].Symbol = symbol[h.Pairs[i].Key]
	}
	return h
}

func truthy(raw json.RawMessage) bool { return string(raw) != "null" && string(raw) != "false" }

// decodeSerialized returns a value written by one of Rails' own serializers. ok is false
// for other serializers, and for a format that no supported version of Rails writes.
func decodeSerialized(serializer string, o object) (v any, ok bool) {
	value, isText := o.text("value")
	switch serializer {
	case symbolSerializer:
		return Symbol(value), isText
	case moduleSerializer:
		raw, _ := o.get("value")
		return Module(value), isText || string(raw) == "null" // Rails 6.1 has null for a class without a name
	case decimalSerializer:
		return Decimal(value), isText
	case dateSerializer:
		t, err := time.Parse(time.DateOnly, value)
		return DateOf(t), err == nil
	case timeSerializer:
		return parseTime(value)
	case dateTimeSerializer:
		t, ok := parseTime(value)
		return DateTime{t}, ok
	case timeWithZoneSerializer:
		return decodeTimeWithZone(value, o)
	case durationSerializer:
		return decodeDuration(o)
	case rangeSerializer:
		return decodeRange(o)
	}
	return nil, false
}

// parseTime parses a time and keeps its offset, independent of the local zone.
func parseTime(text string) (t time.Time, ok bool) {
	t, err := time.ParseInLocation(time.RFC3339Nano, text, time.UTC)
	return t, err == nil
}

func decodeTimeWithZone(value string, o object) (v any, ok bool) {
	t, ok := parseTime(value)
	if !ok {
		return nil, false
	}
	zone, _ := o.text("time_zone")
	if location, err := time.LoadLocation(zone); zone != "" && err == nil {
		t = t.In(location)
	}
	return TimeWithZone{t, zone}, true
}

func decodeDuration(o object) (v any, ok bool) {
	seconds, _ := o.get("value")
	raw, _ := o.get("parts")
	d := Duration{Parts: []Part{}}
	if d.Seconds, ok = decode(seconds).(json.Number); !ok {
		return nil, false
	}
	parts, ok := decode(raw).([]any)
	if !ok {
		return nil, false
	}
	for _, part := range parts {
		pair, _ := part.([]any)
		if len(pair) != 2 {
			return nil, false
		}
		unit, isSymbol := pair[0].(Symbol)
		number, isNumber := pair[1].(json.Number)
		if !isSymbol || !isNumber {
			return nil, false
		}
		d.Parts = append(d.Parts, Part{unit, number})
	}
	return d, true
}

func decodeRange(o object) (v any, ok bool) {
	begin, hasBegin := o.get("begin")
	end, hasEnd := o.get("end")
	exclude, _ := o.get("exclude_end")
	if !hasBegin || !hasEnd {
		return nil, false
	}
	return Range{decode(begin), decode(end), string(exclude) == "true"}, true
}
