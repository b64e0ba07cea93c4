package activejob

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
)

// SerializationError says why an argument cannot be passed to Rails.
//
// Ruby: ActiveJob::SerializationError.
type SerializationError struct {
	Class  string // the job's, as Rails has it
	Index  int    // of the argument, from 1
	Path   string // inside the argument, such as .opts[2]; empty for the argument itself
	Reason string
	Err    error // what the value's own marshaler answered, or nil
}

func (e *SerializationError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%s: argument %d: %s", e.Class, e.Index, e.Reason)
	}
	return fmt.Sprintf("%s: argument %d: %s: %s", e.Class, e.Index, e.Path, e.Reason)
}

// Unwrap returns the cause, if a marshaler gave one.
func (e *SerializationError) Unwrap() error { return e.Err }

// ExceptionName is Ruby's class for this error.
func (e *SerializationError) ExceptionName() string { return "ActiveJob::SerializationError" }

// trouble is a SerializationError in the making: its path grows from the inside
// out, on the way back.
type trouble struct {
	path, reason string
	err          error
}

func (t *trouble) in(step string) *trouble {
	t.path = step + t.path
	return t
}

func (t *trouble) inIndex(i int) *trouble { return t.in("[" + strconv.Itoa(i) + "]") }

func troublef(format string, args ...any) *trouble {
	return &trouble{reason: fmt.Sprintf(format, args...)}
}

// writer appends arguments as Rails serializes them.
//
// Ruby: ActiveJob::Arguments.serialize.
type writer struct{ dst []byte }

// value writes what needs no look at its kind, and hands the rest on.
func (w *writer) value(v any, at rubyjson.Place) *trouble {
	switch v := v.(type) {
	case nil, bool, string, int, int64, float64, json.Number, big.Int, *big.Int:
		return w.plain(v, at)
	case time.Time:
		return w.serialized(at, timeSerializer, v.Format(timeLayout))
	case DateTime:
		return w.serialized(at, dateTimeSerializer, v.Format(dateTimeLayout))
	case TimeWithZone:
		return w.timeWithZone(v, at)
	case time.Duration:
		return w.duration(DurationOf(v), at)
	case json.RawMessage:
		return w.foreign(v, at)
	}
	if t, ok := w.own(v, at); ok {
		return t
	}
	return w.kind(reflect.ValueOf(v), at)
}

// own writes the types of this package.
func (w *writer) own(v any, at rubyjson.Place) (t *trouble, ok bool) {
	switch v := v.(type) {
	case Symbol:
		return w.serialized(at, symbolSerializer, string(v)), true
	case Module:
		if v == "" { // Ruby: Serializing an anonymous class is not supported
			return troublef("a module needs a name"), true
		}
		return w.serialized(at, moduleSerializer, string(v)), true
	case Decimal:
		return w.serialized(at, decimalSerializer, string(v)), true
	case Date:
		return w.serialized(at, dateSerializer, v.String()), true
	case Duration:
		return w.duration(v, at), true
	case Range:
		return w.members(at, []Pair{
			{Key: keySerialized, Value: rangeSerializer},
			{Key: "begin", Value: v.Begin},
			{Key: "end", Value: v.End},
			{Key: "exclude_end", Value: v.ExcludeEnd},
		}), true
	case GlobalID:
		if v.ID() == "" {
			return troublef("a GlobalID needs an app, a model and an id, got %q", string(v)), true
		}
		return w.members(at, []Pair{{Key: keyGlobalID, Value: string(v)}}), true
	case Hash:
		return w.hash(v, at), true
	case Object:
		return w.object(v, at), true
	case interface{ keywords() any }:
		return troublef("keyword arguments stand last, and not inside others"), true
	}
	return nil, false
}

// last writes the last argument, the one that may be keywords.
func (w *writer) last(v any, at rubyjson.Place) *trouble {
	k, ok := v.(interface{ keywords() any })
	if !ok {
		if h, ok := v.(Hash); ok && h.Kind == KeywordHash {
			return w.pairs(h.Pairs, KeywordHash, at)
		}
		return w.value(v, at)
	}
	return w.keywords(reflect.ValueOf(k.keywords()), at)
}

func (w *writer) plain(v any, at rubyjson.Place) *trouble {
	dst, err := at.Append(w.dst, v)
	if err != nil {
		var e *rubyjson.EncodeError
		if errors.As(err, &e) && e.Err != nil {
			err = e.Err
		}
		return &trouble{reason: err.Error(), err: err}
	}
	w.dst = dst
	return nil
}

func (w *writer) serialized(at rubyjson.Place, serializer, value string) *trouble {
	return w.members(at, []Pair{{Key: keySerialized, Value: serializer}, {Key: "value", Value: value}})
}

func (w *writer) timeWithZone(v TimeWithZone, at rubyjson.Place) *trouble {
	if v.Zone == "" { // Rails 7 on would not find a zone without a name
		return w.serialized(at, timeSerializer, v.Format(timeLayout))
	}
	return w.members(at, []Pair{
		{Key: keySerialized, Value: timeWithZoneSerializer},
		{Key: "value", Value: v.Format(timeLayout)},
		{Key: "time_zone", Value: v.Zone},
	})
}

func (w *writer) duration(d Duration, at rubyjson.Place) *trouble {
	parts := make([]any, len(d.Parts))
	for i, p := range d.Parts {
		parts[i] = []any{p.Unit, p.Number}
	}
	return w.members(at, []Pair{
		{Key: keySerialized, Value: durationSerializer}, {Key: "value", Value: d.Seconds}, {Key: "parts", Value: parts},
	})
}

func (w *writer) object(o Object, at rubyjson.Place) *trouble {
	if o.Serializer == "" {
		return troublef("an Object needs the name of its serializer")
	}
	for _, f := range o.Fields {
		if isReserved(f.Key) {
			return reservedKey(f.Key)
		}
	}
	return w.members(at, slices.Concat([]Pair{{Key: keySerialized, Value: o.Serializer}}, o.Fields))
}

func (w *writer) hash(h Hash, at rubyjson.Place) *trouble {
	if h.Kind == KeywordHash { // elsewhere than at the end they are a hash like others
		h.Kind = AnyHash
	}
	return w.pairs(h.Pairs, h.Kind, at)
}

func reservedKey(key string) *trouble {
	return troublef("Can't serialize a Hash with reserved key %q", key)
}

// pairs writes a hash of user data, and the mark of its kind.
func (w *writer) pairs(pairs []Pair, kind HashKind, at rubyjson.Place) *trouble {
	symbols := []string{}
	for _, p := range pairs {
		if isReserved(p.Key) {
			return reservedKey(p.Key)
		}
		if p.Symbol {
			symbols = append(symbols, p.Key)
		}
	}
	marked := slices.Clip(pairs)
	switch kind {
	case AnyHash:
		marked = append(marked, Pair{Key: keySymbols, Value: symbols})
	case KeywordHash:
		marked = append(marked, Pair{Key: keyKeywords, Value: symbols})
	case IndifferentHash:
		marked = append(marked, Pair{Key: keyIndifferent, Value: true})
	case BareHash:
	default:
		return troublef("no such kind of hash: %d", kind)
	}
	return w.members(at, marked)
}

// members writes an object as it is given: its keys are not checked here.
func (w *writer) members(at rubyjson.Place, pairs []Pair) *trouble {
	inside, err := at.Inside()
	if err != nil {
		return &trouble{reason: err.Error(), err: err}
	}
	w.dst = append(w.dst, '{')
	for i, p := range pairs {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		if t := w.plain(p.Key, inside); t != nil {
			return t.in(step(p.Key))
		}
		w.dst = append(w.dst, ':')
		if t := w.value(p.Value, inside); t != nil {
			return t.in(step(p.Key))
		}
	}
	w.dst = append(w.dst, '}')
	return nil
}

// step is a key in an error's path.
func step(key string) string {
	if strings.ContainsFunc(key, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) || key == "" {
		return fmt.Sprintf("[%q]", key)
	}
	return "." + key
}
