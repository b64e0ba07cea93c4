package store

import (
	"context"
	"crypto/sha1" //nolint:gosec // the plugin's digest
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gomodule/redigo/redis"
)

// RetryKeys are the keys of the attempts of a job, which equal jobs share.
type RetryKeys struct {
	Attempts string // the number of the last attempt that failed, from 0
	Failure  string // the record of its failure
}

// RetryKeys returns the keys of jobs of a class. id distinguishes jobs with other
// arguments and may be empty.
func (s *Store) RetryKeys(class, id string) RetryKeys {
	return RetryKeys{s.keys.attempts(class, id), s.keys.lastFailure(class, id)}
}

// SetAttempt sets the number of the last attempt, for as long as it may be needed.
//
// Ruby: Resque::Plugins::Retry#before_perform_retry, which increments it.
func (k RetryKeys) SetAttempt(number int64, expiry time.Duration) Effect {
	return Effect{command: "SET", key: k.Attempts, args: []any{number, "PX", expiry.Milliseconds()}}
}

// SetFailure sets the record of the last failure.
//
// Ruby: Resque::Failure::MultipleWithRetrySuppression#save.
func (k RetryKeys) SetFailure(record []byte, expiry time.Duration) Effect {
	return Effect{command: "SET", key: k.Failure, args: []any{record, "PX", expiry.Milliseconds()}}
}

// ForgetAttempts removes the number of attempts of jobs of a class: see RetryKeys.
//
// Ruby: Resque::Plugins::Retry#clean_retry_key.
func (s *Store) ForgetAttempts(class, id string) Effect {
	return Effect{deletes: true, command: "DEL", key: s.keys.attempts(class, id)}
}

// ForgetFailure removes the record of the last failure.
func (k RetryKeys) ForgetFailure() Effect {
	return Effect{deletes: true, command: "DEL", key: k.Failure}
}

// RetryID returns the part of RetryKeys that distinguishes jobs by their arguments.
//
// Ruby: Resque::Plugins::Retry#retry_identifier.
func (s *Store) RetryID(args []json.RawMessage) string {
	joined := s.inspect.AppendJoined(nil, slices.Clip(args), "-")
	if len(joined) == 0 {
		return ""
	}
	sum := sha1.Sum(joined) //nolint:gosec // the plugin's digest
	return hex.EncodeToString(sum[:])
}

// Attempts reads the numbers of the last attempts that failed, in one round trip. A text
// is empty if the key does not exist.
func (s *Store) Attempts(ctx context.Context, of []RetryKeys) ([]Value, error) {
	const most = 32 // bytes of a number
	values := make([]Value, len(of))
	err := s.beginnings(ctx, len(of), most, func(i int) string { return of[i].Attempts }, func(i int, v Value) { values[i] = v })
	if err != nil {
		return nil, fmt.Errorf("reading the attempts of jobs: %w", err)
	}
	return values, nil
}

// ForgetRetries removes those of the keys that belong to attempts, in two round trips, or one if
// there are none.
func (s *Store) ForgetRetries(ctx context.Context, of []RetryKeys) error {
	if len(of) == 0 {
		return nil
	}
	numbers, err := s.Attempts(ctx, of)
	if err != nil {
		return err
	}
	var commands [][]any
	for i, number := range numbers {
		if number.Text != "" {
			commands = append(commands, []any{"DEL", of[i].Attempts, of[i].Failure})
		}
	}
	if err := s.each(ctx, commands, func(_ int, reply any) error { _, err := redis.Int(reply, nil); return err }); err != nil {
		return fmt.Errorf("removing the attempts of jobs: %w", err)
	}
	return nil
}

// LastFailures reads at most the first most bytes of the records of the last failures, in
// one round trip. A text is empty if the key does not exist.
func (s *Store) LastFailures(ctx context.Context, of []RetryKeys, most int) ([]Value, error) {
	values := make([]Value, len(of))
	err := s.beginnings(ctx, len(of), most, func(i int) string { return of[i].Failure }, func(i int, v Value) { values[i] = v })
	if err != nil {
		return nil, fmt.Errorf("reading the last failures of jobs: %w", err)
	}
	return values, nil
}

// beginnings reads the first bytes of n values.
func (s *Store) beginnings(ctx context.Context, n, most int, key func(int) string, set func(int, Value)) error {
	commands := make([][]any, n)
	for i := range commands {
		commands[i] = []any{"GETRANGE", key(i), 0, most - 1}
	}
	return s.with(ctx, func(c conn) error {
		replies, err := c.pipeline(commands...)
		if err != nil {
			return err
		}
		for i, reply := range replies {
			if damage, err := otherType(key(i), reply); damage != nil || err != nil {
				if err != nil {
					return err
				}
				set(i, Value{Other: true})
				continue
			}
			text, err := redis.String(reply, nil)
			if err != nil {
				return err
			}
			set(i, Value{Text: text})
		}
		return nil
	})
}

// LastAttempt reads the number of the last attempt that failed, "" if there is none, and
// the record of its failure, nil if there is none.
func (s *Store) LastAttempt(ctx context.Context, k RetryKeys) (number string, failure []byte, err error) {
	var values [][]byte
	err = s.with(ctx, func(c conn) (err error) {
		values, err = redis.ByteSlices(c.do("MGET", k.Attempts, k.Failure))
		return err
	})
	if err == nil && len(values) != 2 {
		err = errors.New("MGET returned another number of values")
	}
	if err != nil {
		return "", nil, fmt.Errorf("reading the attempts of a job: %w", err)
	}
	return string(values[0]), values[1], nil
}
