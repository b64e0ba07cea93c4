// Package jobs has the jobs of the tests that need a worker's process.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/resque"
)

// Add adds the jobs of Ruby's recorded worker: Polite stops when it is
// asked to, Stubborn does not. They log to the list "log" of the Redis. Held ends when the
// test pushes to the list that it names.
func Add(mux *resque.Mux) {
	mux.Handle(resque.Define1[float64]("Polite", "jobs").Handler(func(ctx context.Context, length float64) error {
		logLine("start " + Number(length))
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), resque.ErrTerm) {
				logLine("rescued Resque::TermException SIGTERM")
			}
			return ctx.Err()
		case <-time.After(Span(length)):
			logLine("done")
			return nil
		}
	}))
	mux.Handle(resque.Define1[float64]("Stubborn", "jobs").Handler(func(_ context.Context, length float64) error {
		logLine("start " + Number(length))
		<-time.After(Span(length))
		logLine("done")
		return nil
	}))
	mux.Handle(resque.Define1[string]("Held", "jobs").Handler(func(_ context.Context, list string) error {
		return await(list)
	}))
	mux.Handle(resque.Define0("Self", "jobs").Handler(func(context.Context) error {
		logLine(strings.Join(os.Args, "|"))
		logLine(strings.Join(os.Environ(), "|"))
		return nil
	}))
	mux.Handle(resque.Define1[float64]("Busy", "jobs").Handler(func(_ context.Context, length float64) error {
		logLine(fmt.Sprintf("pid %d", os.Getpid()))
		turns := 0
		for end := time.Now().Add(Span(length)); time.Now().Before(end); turns++ { // never lets go of its thread
			turns--
		}
		logLine("done")
		return nil
	}))
}

// await takes an entry from a list as soon as there is one.
func await(list string) error {
	c, err := redis.DialURL(os.Getenv("REDIS_URL"))
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer c.Close()
	if _, err = c.Do("BLPOP", list, 0); err != nil {
		return fmt.Errorf("waiting for %s: %w", list, err)
	}
	return nil
}

// Number spells a job's length.
func Number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// Span is a length in seconds as a duration.
func Span(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// logLine writes when to the list "log-times", then what to "log".
func logLine(text string) {
	c, err := redis.DialURL(os.Getenv("REDIS_URL"))
	if err != nil {
		panic(err)
	}
	defer c.Close()
	if _, err := c.Do("RPUSH", "log-times", time.Now().UnixNano()); err != nil {
		panic(err)
	}
	if _, err := c.Do("RPUSH", "log", text); err != nil {
		panic(err)
	}
}
