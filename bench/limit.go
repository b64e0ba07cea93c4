package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"
)

var (
	//go:embed limit.lua
	limitLua string
	//go:embed limit_json.lua
	limitJSONLua string
)

// limit is not a job system. It runs one script again and again on one connection,
// as fast as it can, and performs nothing.
type limit struct {
	conn   redis.Conn
	script *redis.Script
}

var _ peer = (*limit)(nil)

func newLimit(addr, script string) *limit {
	conn, err := redis.Dial("tcp", addr)
	if err != nil {
		conn = nil // the first use reports it
	}
	return &limit{conn: conn, script: redis.NewScript(-1, script)}
}

// drain takes up to t.Slots jobs with each call.
func (l *limit) drain(t task) (figures, error) {
	if l.conn == nil {
		return figures{}, errors.New("no connection")
	}
	ids := make([]any, t.Slots)
	keys := []any{
		6 + 2*t.Slots, "resque:pause-all-workers", "resque:pause:all", "resque:workers",
		"resque:queue:queue0", "resque:pause:queue:queue0", "resque:stat:processed",
	}
	for i := range ids {
		ids[i] = fmt.Sprintf("host~go:1-%d:queue0", i+1)
		keys = append(keys, fmt.Sprintf("resque:worker:%s", ids[i]))
	}
	for _, id := range ids {
		keys = append(keys, fmt.Sprintf("resque:stat:processed:%s", id))
	}
	if _, err := l.conn.Do("SADD", append([]any{"resque:workers"}, ids...)...); err != nil {
		return figures{}, fmt.Errorf("registering: %w", err)
	}
	guards := make([]any, t.Slots)
	began, busy := time.Now(), cpuTime()
	for done := 0; ; {
		words := append(append([]any(nil), keys...), t.Slots)
		runAt := time.Now().UTC()
		at := make([]string, t.Slots)
		for i := range ids {
			at[i] = runAt.Add(time.Duration(i)).Format("2006-01-02T15:04:05.000000000Z")
			words = append(words, at[i])
		}
		words = append(append(words, ids...), guards...)
		reply, err := redis.Values(l.script.Do(l.conn, words...))
		if err != nil {
			return figures{}, fmt.Errorf("running the script: %w", err)
		}
		if len(reply) == 0 && done >= t.Jobs {
			return figures{
				Rate: float64(done) / time.Since(began).Seconds(),
				CPU:  (cpuTime() - busy).Seconds() * 1e6 / float64(done),
			}, nil
		}
		clear(guards)
		for i := range guards {
			guards[i] = ""
		}
		for i := 0; i < len(reply); i += 2 {
			slot, _ := reply[i].(int64)
			guards[slot-1] = `{"queue":"queue0","run_at":"` + at[slot-1] + `",`
		}
		done += len(reply) / 2
	}
}

func (l *limit) enqueueMany(_ context.Context, n int) error {
	if l.conn == nil {
		return errors.New("no connection")
	}
	words := make([]any, 1, n+1)
	words[0] = "resque:queue:queue0"
	for i := range n {
		words = append(words, `{"class":"Noop","args":[`+strconv.Itoa(i)+`]}`)
	}
	_, err := l.conn.Do("RPUSH", words...)
	return err //nolint:wrapcheck // the caller adds context
}

func (l *limit) fill(_ context.Context, n, queues int) error { return fillResque(l.conn, n, queues) }

// work takes each job with BLPOP, which loses the job if the process dies. No safe
// worker can be faster.
func (l *limit) work(_ context.Context, _, queues int, handle func(n int64)) error {
	if l.conn == nil {
		return errors.New("no connection")
	}
	queue := "resque:queue:" + queueName(queues-1)
	go func() {
		for {
			reply, err := redis.ByteSlices(redis.DoWithTimeout(l.conn, 0, "BLPOP", queue, 0))
			if err != nil {
				return // the task has ended
			}
			var job struct{ Args []int64 }
			if json.Unmarshal(reply[1], &job) == nil && len(job.Args) == 1 {
				handle(job.Args[0])
			}
		}
	}()
	return nil
}

func (l *limit) finished(int) (bool, error) { return true, nil }

func (l *limit) enqueue(context.Context, int64) error { return errUnsupported{"it has no client"} }
