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

// Module is the name of a Ruby class or module. Rails 6.1 writes the empty name
// for one without a name; it cannot be enqueued.
type Module string

// Decimal is a BigDecimal, in digits: "1.10", "1e-20". Rails before 7.1 passes
// decimals as plain strings, which bind to a Decimal too. It writes no Decimal,
// and reads none: send it a string.
type Decimal string

// Rat is the exact value. ok is false for NaN and the infinities, and for what
// are no digits.
func (d Decimal) Rat() (r *big.Rat, ok bool) { return new(big.Rat).SetString(string(d)) }

// Date is a Ruby Date: a day without a time of day or a zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf is the day of t, where t is.
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{year, month, day}
}

// In is the beginning of the day in a zone.
func (d Date) In(zone *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, zone)
}

// String is the day as in 2026-01-15.
func (d Date) String() string { return d.In(time.UTC).Format(time.DateOnly) }

// DateTime is a Ruby DateTime, which Rails tells from a Time. A parameter that
// is a time.Time takes both.
type DateTime struct{ time.Time }

// TimeWithZone is an ActiveSupport::TimeWithZone. A parameter that is a
// time.Time takes it too.
type TimeWithZone struct {
	time.Time // in Zone, where Go knows it, else with the offset that was given

	// Zone is the zone's name in the tz database, America/New_York. Rails 6.1
	// does not tell it; then it is empty.
	Zone string
}

// Duration is an ActiveSupport::Duration. A month in it is a month, whichever
// number of days that turns out to be. A parameter that is a time.Duration
// takes it in seconds, as Rails counts them: 2629746 a month.
type Duration struct {
	Seconds json.Number
	Parts   []Part
}

// Part is a number of units: seconds, minutes, hours, days, weeks, months or
// years.
type Part struct {
	Unit   Symbol
	Number json.Number
}

// DurationOf is d as Rails has it, in seconds.
func DurationOf(d time.Duration) Duration {
	var n json.Number
	if d%time.Second == 0 {
		n = json.Number(strconv.FormatInt(int64(d/time.Second), 10))
	} else {
		n = json.Number(strconv.FormatFloat(d.Seconds(), 'f', -1, 64))
	}
	return Duration{Seconds: n, Parts: []Part{{"seconds", n}}}
}

// Std is d as a time.Duration, to the nanosecond. ok is false where it is too
// long for one.
func (d Duration) Std() (std time.Duration, ok bool) {
	// First roughly: the exact value of 1e999999 takes its time.
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

// Range is a Ruby Range. Begin or End is nil where it has none.
type Range struct {
	Begin, End any
	ExcludeEnd bool // as in 1...3
}

// GlobalID names a record of a Rails app: gid://shop/Person/5. Nothing is
// loaded by it; the handler knows where the app's records are.
type GlobalID string

// NewGlobalID names the record of a model, app being the name of the Rails app
// and id the record's, in several parts where its key has several.
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

// App is the name of the Rails app.
func (g GlobalID) App() string { return g.parts()[0] }

// Model is the record's class, Shop::Item.
func (g GlobalID) Model() string {
	if parts := g.parts(); len(parts) > 1 {
		return parts[1]
	}
	return ""
}

// ID is the record's id, its parts joined by a slash where it has several.
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

// Int64 is the record's id as a number, which most are.
func (g GlobalID) Int64() (id int64, ok bool) {
	id, err := strconv.ParseInt(g.ID(), 10, 64)
	return id, err == nil
}

// Hash is a Ruby hash, in its order.
type Hash struct {
	Pairs []Pair
	Kind  HashKind
}

// Pair is a key and its value.
type Pair struct {
	Key    string
	Symbol bool // the key is a symbol
	Value  any
}

// HashKind is what a hash was to Rails.
type HashKind uint8

// The kinds of hashes.
const (
	AnyHash         HashKind = iota // with string keys, symbol keys, or both
	KeywordHash                     // keyword arguments: only as the last argument
	IndifferentHash                 // ActiveSupport::HashWithIndifferentAccess
	BareHash                        // without a mark, not written by Rails itself: string keys
)

// Get is the value of a key, be it a string or a symbol.
func (h Hash) Get(key string) (value any, ok bool) {
	for _, p := range h.Pairs {
		if p.Key == key {
			return p.Value, true
		}
	}
	return nil, false
}

// Object is a value of a serializer that this package does not know, which is
// how Rails apps pass classes of their own. Enqueued, it is read by the app's
// serializer of that name.
type Object struct {
	Serializer string // a class, MoneySerializer
	Fields     []Pair // what the serializer wrote, and reads
}

// Get is the value of a field.
func (o Object) Get(field string) (value any, ok bool) { return Hash{Pairs: o.Fields}.Get(field) }

// Keywords are keyword arguments: as the last parameter of a definition, with
// a struct or a map for T. Enqueued, they come to perform as its keywords. A
// job without any leaves Of as it is.
type Keywords[T any] struct{ Of T }

func (k Keywords[T]) keywords() any { return k.Of }

func (k *Keywords[T]) target() any { return &k.Of }
