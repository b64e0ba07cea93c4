package store

import (
	"context"
	"errors"
	"fmt"
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
