//go:build unix

package cli_test

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

// signalJobs are the jobs of Ruby's recorded worker: Polite stops when it is
// asked to, Stubborn does not. They log to the list "log" of the Redis.
func signalJobs(mux *resque.Mux) {
	mux.Handle(resque.Define1[float64]("Polite", "jobs").Perform(func(ctx context.Context, length float64) error {
		logLine("start " + number(length))
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), resque.ErrTerm) {
				logLine("rescued Resque::TermException SIGTERM")
			}
			return ctx.Err()
		case <-time.After(span(length)):
			logLine("done")
			return nil
		}
	}))
	mux.Handle(resque.Define1[float64]("Stubborn", "jobs").Perform(func(_ context.Context, length float64) error {
		logLine("start " + number(length))
		<-time.After(span(length))
		logLine("done")
		return nil
	}))
	mux.Handle(resque.Define0("Self", "jobs").Perform(func(context.Context) error {
		logLine(strings.Join(os.Args, "|"))
		logLine(strings.Join(os.Environ(), "|"))
		return nil
	}))
	mux.Handle(resque.Define1[float64]("Busy", "jobs").Perform(func(_ context.Context, length float64) error {
		logLine(fmt.Sprintf("pid %d", os.Getpid()))
		turns := 0
		for end := time.Now().Add(span(length)); time.Now().Before(end); turns++ { // never lets go of its thread
			turns--
		}
		logLine("done")
		return nil
	}))
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func span(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func logLine(text string) {
	c, err := redis.DialURL(os.Getenv("REDIS_URL"))
	if err != nil {
		panic(err)
	}
	defer c.Close()
	if _, err := c.Do("RPUSH", "log", text); err != nil {
		panic(err)
	}
}
