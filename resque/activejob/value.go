package activejob

import (
	"encoding/json"
	"math"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Symbol is a Ruby symbol.
type Symbol string

// Module is the name of a Ruby class or module. It is empty for a class without a
// name, which Rails 6.1 can write. An empty Module cannot be enqueued.
type Module string

// Decimal is a Ruby BigDecimal, in digits: "1.10", "1e-20". Rails before 7.1 writes
// decimals as strings, which can also be bound to a Decimal. These versions cannot read a
// Decimal, so enqueue a string for them.
type Decimal string

// Rat returns the exact value. ok is false for NaN, the infinities, and text that is
// not a number.
func (d Decimal) Rat() (r *big.Rat, ok bool) { return new(big.Rat).SetString(string(d)) }

// Date is a Ruby Date: a day without a time of day or a zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf returns the date of t, in t's location.
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{year, month, day}
}

// In returns the start of the day in zone.
func (d Date) In(zone *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, zone)
}

// String returns the date in the format 2026-01-15.
func (d Date) String() string { return d.In(time.UTC).Format(time.DateOnly) }

// DateTime is a Ruby DateTime, which Rails distinguishes from a Time. A time.Time
// parameter accepts both.
type DateTime struct{ time.Time }

// TimeWithZone is an ActiveSupport::TimeWithZone. A time.Time parameter also accepts
// it.
type TimeWithZone struct {
	time.Time // in Zone if Go knows the zone, otherwise with the offset in the argument

	// Zone is the name in the tz database, such as America/New_York. It is empty in
	// jobs from Rails 6.1, which does not write it.
	Zone string
}

// Duration is an ActiveSupport::Duration, which can contain calendar units such as
// months. A time.Duration parameter also accepts it, as the number of seconds that
// Rails computes: a month has 2629746 seconds.
type Duration struct {
	Seconds json.Number
	Parts   []Part
}

// Part is a number of seconds, minutes, hours, days, weeks, months or years.
type Part struct {
	Unit   Symbol
	Number json.Number
}

// DurationOf returns d as a number of seconds.
func DurationOf(d time.Duration) Duration {
	var n json.Number
	if d%time.Second == 0 {
		n = json.Number(strconv.FormatInt(int64(d/time.Second), 10))
	} else {
		n = json.Number(strconv.FormatFloat(d.Seconds(), 'f', -1, 64))
	}
	return Duration{Seconds: n, Parts: []Part{{"seconds", n}}}
}

// Std returns d as a time.Duration, truncated to the nanosecond. ok is false if d is
// too long for a time.Duration or is not a number.
func (d Duration) Std() (std time.Duration, ok bool) {
	// Check the approximate value first, because the exact value of 1e999999 takes long.
	rough, err := strconv.ParseFloat(string(d.Seconds), 64)
	if math.Abs(rough) < time.Nanosecond.Seconds() || err != nil || math.Abs(rough) > math.MaxInt64 {
		return 0, err == nil && math.Abs(rough) < 1
	}
	r, ok := new(big.Rat).SetString(string(d.Seconds))
	if !ok {
		return 0, false
	}
	r.Mul(r, big.NewRat(int64(time.Second), 1))
	n := new(big.Int).Quo(r.Num(), r.Denom())
	return time.Duration(n.Int64()), n.IsInt64()
}

// Range is a Ruby Range. Begin or End is nil if the range is open at that side.
type Range struct {
	Begin, End any
	ExcludeEnd bool // as in 1...3
}

// GlobalID is the id of a record of a Rails app, such as gid://shop/Person/5. This
// package does not load the record.
type GlobalID string

// NewGlobalID returns the GlobalID of a record. app is the name of the Rails app, model
// the class of the record, and id its id. A composite id has several parts.
func NewGlobalID(app, model string, id ...string) GlobalID {
	var b strings.Builder
	b.WriteString("gid://" + app + "/" + model)
	for _, part := range id {
		b.WriteString("/" + url.QueryEscape(part))
	}
	return GlobalID(b.String())
}

func (g GlobalID) parts() []string {
	path, _, _ := strings.Cut(strings.TrimPrefix(string(g), "gid://"), "?")
	return strings.Split(path, "/")
}

// App returns the name of the Rails app.
func (g GlobalID) App() string { return g.parts()[0] }

// Model returns the class of the record, such as Shop::Item.
func (g GlobalID) Model() string {
	if parts := g.parts(); len(parts) > 1 {
		return parts[1]
	}
	return ""
}

// ID returns the id of the record. The parts of a composite id are joined by slashes.
func (g GlobalID) ID() string {
	parts := g.parts()
	if len(parts) < 3 {
		return ""
	}
	for i, part := range parts[2:] {
		if plain, err := url.QueryUnescape(part); err == nil {
			parts[2+i] = plain
		}
	}
	return strings.Join(parts[2:], "/")
}

// Int64 returns the id of the record as a number. ok is false if it is not a number.
func (g GlobalID) Int64() (id int64, ok bool) {
	id, err := strconv.ParseInt(g.ID(), 10, 64)
	return id, err == nil
}

// Hash is a Ruby hash. Pairs keeps the order of its keys.
type Hash struct {
	Pairs []Pair
	Kind  HashKind
}

// Pair is a key and its value.
type Pair struct {
	Key    string
	Symbol bool // whether the key is a symbol
	Value  any
}

// HashKind is the kind of a hash in Rails.
type HashKind uint8

// The kinds of hashes.
const (
	AnyHash         HashKind = iota // with string keys, symbol keys, or both
	KeywordHash                     // keyword arguments; only valid as the last argument
	IndifferentHash                 // ActiveSupport::HashWithIndifferentAccess
	BareHash                        // with string keys and without a mark; Rails does not write it
)

// Get returns the value of a key, which may be a string or a symbol.
func (h Hash) Get(key string) (value any, ok bool) {
	for _, p := range h.Pairs {
		if p.Key == key {
			return p.Value, true
		}
	}
	return nil, false
}

// Object is a value written by a serializer that this package does not know, such as a
// custom serializer of the Rails app. When an Object is enqueued, the app reads it with
// the serializer of that name.
type Object struct {
	Serializer string // the class of the serializer, such as MoneySerializer
	Fields     []Pair // the fields that the serializer writes and reads
}

// Get returns the value of a field.
func (o Object) Get(field string) (value any, ok bool) { return Hash{Pairs: o.Fields}.Get(field) }

// Keywords is the keyword arguments of a job. It must be the last parameter of a
// definition, and T must be a struct or a map. Rails passes enqueued Keywords to
// perform as keyword arguments. If a job has no keyword arguments, Of is not changed.
type Keywords[T any] struct{ Of T }

func (k Keywords[T]) keywords() any { return k.Of }

func (k *Keywords[T]) target() any { return &k.Of }
