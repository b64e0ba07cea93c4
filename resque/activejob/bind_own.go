package activejob

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
)

// assignOwn decodes into the types for which Rails has a serializer, and into a few
// common types. done is false for other targets.
func assignOwn(raw json.RawMessage, v reflect.Value, target any) (done bool, m *mismatch) {
	ok := true
	switch target := target.(type) {
	case *int64: // by far the most common argument
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if *target = n; err != nil {
			return true, &mismatch{want: "int64", got: raw, err: err}
		}
	case *any:
		*target = decode(raw)
	case *json.RawMessage:
		*target = append(json.RawMessage(nil), raw...)
	case *time.Time:
		*target, ok = timeOf(decode(raw))
	case *time.Duration:
		*target, ok = durationOf(decode(raw))
	case *TimeWithZone:
		*target, ok = zonedOf(decode(raw))
	case *DateTime:
		target.Time, ok = timeOf(decode(raw))
	case *Decimal:
		*target, ok = decimalOf(decode(raw))
	case *Symbol:
		*target, ok = namedOf[Symbol](decode(raw))
	case *Module:
		*target, ok = namedOf[Module](decode(raw))
	case *GlobalID:
		*target, ok = namedOf[GlobalID](decode(raw))
	case *Date:
		ok = as(decode(raw), target)
	case *Duration:
		ok = as(decode(raw), target)
	case *Range:
		ok = as(decode(raw), target)
	case *Hash:
		ok = as(decode(raw), target)
	case *Object:
		ok = as(decode(raw), target)
	default:
		return false, nil
	}
	if !ok {
		return true, unfit(raw, v)
	}
	return true, nil
}

// as sets target to value if the types are equal.
func as[T any](value any, target *T) (ok bool) {
	v, ok := value.(T)
	if ok {
		*target = v
	}
	return ok
}

// timeOf accepts every kind of time, and a string, which is how plain Resque jobs pass
// times.
func timeOf(value any) (t time.Time, ok bool) {
	switch value := value.(type) {
	case time.Time:
		return value, true
	case DateTime:
		return value.Time, true
	case TimeWithZone:
		return value.Time, true
	case Date:
		return value.In(time.UTC), true
	case string:
		for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05 UTC", "2006-01-02 15:04:05 -0700"} {
			if t, err := time.ParseInLocation(layout, value, time.UTC); err == nil {
				return t, true
			}
		}
	}
	return time.Time{}, false
}

func zonedOf(value any) (t TimeWithZone, ok bool) {
	if t, ok := value.(TimeWithZone); ok {
		return t, true
	}
	t.Time, ok = timeOf(value)
	return t, ok
}

func durationOf(value any) (d time.Duration, ok bool) {
	switch value := value.(type) {
	case Duration:
		return value.Std()
	case json.Number: // seconds, as in Rails' wait: 90
		return Duration{Seconds: value}.Std()
	}
	return 0, false
}

func decimalOf(value any) (d Decimal, ok bool) {
	switch value := value.(type) {
	case Decimal:
		return value, true
	case string:
		return Decimal(value), isDecimal(value)
	case json.Number:
		return Decimal(value), true
	}
	return "", false
}

// isDecimal reports whether text is a number. It does not compute the value, because
// 1e999999 would take long.
func isDecimal(text string) bool {
	switch text {
	case "NaN", "Infinity", "-Infinity":
		return true
	case "":
		return false
	}
	first := strings.TrimPrefix(text, "-")
	return first != "" && '0' <= first[0] && first[0] <= '9' && rubyjson.Valid([]byte(text)) == nil
}

// namedOf accepts a T, or a string.
func namedOf[T ~string](value any) (name T, ok bool) {
	if s, ok := value.(string); ok {
		return T(s), true
	}
	name, ok = value.(T)
	return name, ok
}

// textOf returns the text of a string or of a value that is a kind of string.
func textOf(value any) (text string, ok bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case Symbol:
		return string(value), true
	case Module:
		return string(value), true
	case Decimal:
		return string(value), true
	case GlobalID:
		return string(value), true
	}
	return "", false
}

// plainValue returns the JSON string inside a serialized symbol, decimal, module, date,
// time or GlobalID, for a target with its own unmarshaler. It returns other values
// unchanged.
func plainValue(raw json.RawMessage) json.RawMessage {
	members, ok := rubyjson.Members(raw)
	if !ok {
		return raw
	}
	o := object{raw, members}
	if id, ok := o.get(keyGlobalID); ok && len(members) == 1 {
		return id
	}
	serializer, ok := o.text(keySerialized)
	if !ok {
		return raw
	}
	switch serializer {
	case symbolSerializer, moduleSerializer, decimalSerializer, dateSerializer, timeSerializer, dateTimeSerializer, timeWithZoneSerializer:
		if value, ok := o.get("value"); ok {
			return value
		}
	}
	return raw
}
