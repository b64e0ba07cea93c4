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

// SerializationError reports an argument that cannot be passed to Rails.
//
// Ruby: ActiveJob::SerializationError.
type SerializationError struct {
	Class  string // the Rails class of the job
	Index  int    // number of the argument, from 1
	Path   string // path inside the argument, such as .opts[2]; "" for the argument itself
	Reason string
	Err    error // the cause, such as the error of a marshaler, or nil
}

func (e *SerializationError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%s: argument %d: %s", e.Class, e.Index, e.Reason)
	}
	return fmt.Sprintf("%s: argument %d: %s: %s", e.Class, e.Index, e.Path, e.Reason)
}

// Unwrap returns Err.
func (e *SerializationError) Unwrap() error { return e.Err }

// ExceptionName returns the name of the Rails class for this error.
func (e *SerializationError) ExceptionName() string { return "ActiveJob::SerializationError" }

// trouble is an incomplete SerializationError. Its path is built from the inside out.
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

// value writes a value of a known type itself, and calls own or kind for the others.
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

// own writes a value of one of this package's types. ok is false for other types.
func (w *writer) own(v any, at rubyjson.Place) (t *trouble, ok bool) {
	switch v := v.(type) {
	case Symbol:
		return w.serialized(at, symbolSerializer, string(v)), true
	case Module:
		if v == "" { // Ruby: Serializing an anonymous class is not supported
			return troublef("module has no name"), true
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
			return troublef("invalid GlobalID %q: it must have an app, a model and an id", string(v)), true
		}
		return w.members(at, []Pair{{Key: keyGlobalID, Value: string(v)}}), true
	case Hash:
		return w.hash(v, at), true
	case Object:
		return w.object(v, at), true
	case interface{ keywords() any }:
		return troublef("keyword arguments must be the last argument, and not inside another one"), true
	}
	return nil, false
}

// last writes the last argument, which may be keyword arguments.
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
	if v.Zone == "" { // Rails 7 and later do not find a zone without a name
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
		return troublef("Object has no Serializer")
	}
	for _, f := range o.Fields {
		if isReserved(f.Key) {
			return reservedKey(f.Key)
		}
	}
	return w.members(at, slices.Concat([]Pair{{Key: keySerialized, Value: o.Serializer}}, o.Fields))
}

func (w *writer) hash(h Hash, at rubyjson.Place) *trouble {
	if h.Kind == KeywordHash { // only the last argument can be keyword arguments
		h.Kind = AnyHash
	}
	return w.pairs(h.Pairs, h.Kind, at)
}

func reservedKey(key string) *trouble {
	return troublef("Can't serialize a Hash with reserved key %q", key)
}

// pairs writes a hash of user data with the mark of its kind.
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
		return troublef("invalid HashKind %d", kind)
	}
	return w.members(at, marked)
}

// members writes an object. It does not check the keys.
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

// step returns a key in the form that it has in an error's path.
func step(key string) string {
	if strings.ContainsFunc(key, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) || key == "" {
		return fmt.Sprintf("[%q]", key)
	}
	return "." + key
}
