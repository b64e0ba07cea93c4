package store

import (
	_ "embed"
	"fmt"

	"github.com/gomodule/redigo/redis"
)

//go:embed outcome.lua
var outcomeLua string

// Outcome is what finishing a job writes: effects that happen together with the
// removal of its record, and only if the record begins with Guard.
type Outcome struct {
	Worker  string
	Queue   string // of the job; its limit allows another job then
	Guard   []byte
	Expect  []Expectation // if one is not met, nothing is written
	Effects []Effect
	Long    bool // the record is long: only its beginning is read to compare the guard
}

// Expectation is the value that a string key must have. Value is empty if the key must
// not exist, and has at most 1,024 bytes.
type Expectation struct {
	Key, Value string

	member *memberEnd // see MemberEnded
}

// Value is the value of a key that an outcome expected to be different.
type Value struct {
	Text  string // its first 1,024 bytes; empty if the key does not exist
	Other bool   // the key is not a string
}

// LongRecord is the size in bytes from which a payload makes a long record.
const LongRecord = 4096

// Effect is one write of an outcome. Methods of Store build them.
type Effect struct {
	counter bool   // adds one to the key
	deletes bool   // deletes the key: many outcomes do that with one command
	unlocks bool   // deletes the key if it is a string
	place   string // frees the place of this worker
	command string
	key     any // a string
	args    []any
	more    []any // further keys, of a named effect
}

// named returns an effect that is a function in outcome.lua.
func named(name string, keys []any, args ...any) Effect {
	return Effect{command: name, key: keys[0], more: keys[1:], args: append([]any{len(keys) - 1}, args...)}
}

// FinishResult is the result of an outcome.
type FinishResult struct {
	Ours bool  // if false, the record was missing or of another reserve, and nothing was done
	Err  error // Redis refused an effect; the record is still there

	// Changed has the value of each expectation if one is not met. Nothing was done.
	Changed []Value
}

func result(status any) FinishResult {
	switch status := status.(type) {
	case int64:
		return FinishResult{Ours: status == 1}
	case []byte:
		return FinishResult{Ours: true, Err: redis.Error(status)}
	case []any:
		return FinishResult{Ours: true, Changed: values(status)}
	default:
		return FinishResult{Ours: true, Err: fmt.Errorf("the script returned a %T", status)}
	}
}

// values returns the values of an outcome's expectations.
func values(reply []any) []Value {
	all := make([]Value, len(reply))
	for i, v := range reply {
		text, ok := v.([]byte)
		all[i] = Value{Text: string(text), Other: !ok}
	}
	return all
}
