// Command delayed measures how fast schedulers move due jobs to their queues: ours,
// Ruby's resque-scheduler (if Ruby can load it) and asynq's forwarder, one after the
// other on one redis-server. It also prints the processor time of Redis for each job,
// which a busy machine changes less than the rate.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/hibiken/asynq"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

func main() {
	addr := flag.String("addr", "", "address of a redis-server that may be emptied")
	jobs := flag.Int("jobs", 100_000, "number of due jobs")
	seconds := flag.Int("seconds", 1, "number of seconds at which they are due")
	rounds := flag.Int("rounds", 3, "number of rounds")
	only := flag.String("only", "", "measure only this one: goresque, asynq or ruby")
	flag.Parse()
	if *addr == "" {
		fmt.Fprintln(os.Stderr, "delayed: --addr is missing")
		os.Exit(2)
	}
	b := bench{addr: *addr, jobs: *jobs, seconds: *seconds}
	for range *rounds {
		for _, mover := range []struct {
			name string
			move func(context.Context) (float64, error)
		}{{"goresque", b.goresque}, {"asynq", b.asynq}, {"ruby", b.ruby}} {
			if *only != "" && *only != mover.name {
				continue
			}
			rate, err := mover.move(context.Background())
			if err != nil {
				fmt.Fprintln(os.Stderr, "delayed:", mover.name, err)
				continue
			}
			fmt.Fprintf(os.Stdout, "%-10s %9.0f jobs/s, Redis %5.1f µs/job\n", mover.name, rate, b.busy)
		}
	}
}

type bench struct {
	addr          string
	jobs, seconds int
	c             redis.Conn
	busy          float64 // microseconds of Redis's processor time for each job
}

// cpu returns the processor time that Redis has used, in microseconds.
func (b *bench) cpu() float64 {
	info, _ := redis.String(b.c.Do("INFO", "cpu")) // 0 if the server does not tell
	total := 0.0
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_user_main_thread" || name == "used_cpu_sys_main_thread" {
			seconds, _ := strconv.ParseFloat(value, 64)
			total += seconds * 1e6
		}
	}
	return total
}

// fill empties the server and delays jobs as Ruby does.
func (b *bench) fill(jobs int) error {
	c, err := redis.Dial("tcp", b.addr)
	if err != nil {
		return err //nolint:wrapcheck // main prints it
	}
	b.c = c
	_ = c.Send("FLUSHALL")
	for i := range jobs {
		second := 1000 + i*b.seconds/b.jobs
		p := fmt.Sprintf(`{"class":"Exporter","args":[%d,"monthly"],"queue":"exports"}`, i)
		_ = c.Send("RPUSH", fmt.Sprint("resque:delayed:", second), p)
		_ = c.Send("SADD", "resque:timestamps:"+p, fmt.Sprint("delayed:", second))
		_ = c.Send("ZADD", "resque:delayed_queue_schedule", second, second)
		if i%1000 == 999 {
			if _, err := c.Do("PING"); err != nil {
				return err //nolint:wrapcheck // main prints it
			}
		}
	}
	_, err = c.Do("PING")
	return err //nolint:wrapcheck // main prints it
}

// moved waits until a list has n jobs and returns the rate since began, or since its
// first jobs came if began is zero.
func (b *bench) moved(key string, n int, began time.Time) (float64, error) {
	first, used := 0, b.cpu()
	for {
		have, err := redis.Int(b.c.Do("LLEN", key))
		if err != nil {
			return 0, err //nolint:wrapcheck // main prints it
		}
		if began.IsZero() && have > 0 {
			began, first, used = time.Now(), have, b.cpu()
		}
		if have >= n {
			b.busy = (b.cpu() - used) / float64(have-first)
			return float64(have-first) / time.Since(began).Seconds(), nil
		}
		<-time.After(5 * time.Millisecond)
	}
}

func (b *bench) goresque(ctx context.Context) (float64, error) {
	if err := b.fill(b.jobs); err != nil {
		return 0, err
	}
	rdb, err := resque.Open(resque.RedisConfig{URL: b.addr})
	if err != nil {
		return 0, err
	}
	defer rdb.Close()
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return 0, err
	}
	s, err := scheduler.New(client, scheduler.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, err
	}
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- s.Run(ctx) }()
	rate, err := b.moved("resque:queue:exports", b.jobs, began)
	stop()
	return rate, errors.Join(err, <-done)
}

// asynq measures asynq's forwarder beside a server that performs one task for ever. It
// begins at the forwarder's first look, because it looks only at intervals.
func (b *bench) asynq(ctx context.Context) (float64, error) {
	if err := b.fill(0); err != nil {
		return 0, err
	}
	opt := asynq.RedisClientOpt{Addr: b.addr}
	client := asynq.NewClient(opt)
	defer func() { _ = client.Close() }() // the measurement is over
	due := time.Now().Add(time.Hour)
	for i := range b.jobs {
		task := asynq.NewTask("Exporter", fmt.Appendf(nil, `[%d,"monthly"]`, i))
		if _, err := client.EnqueueContext(ctx, task, asynq.Queue("exports"), asynq.ProcessAt(due)); err != nil {
			return 0, err //nolint:wrapcheck // main prints it
		}
	}
	// They are due now.
	members, err := redis.Strings(b.c.Do("ZRANGE", "asynq:{exports}:scheduled", 0, -1))
	if err != nil {
		return 0, err //nolint:wrapcheck // main prints it
	}
	for i, m := range members {
		_ = b.c.Send("ZADD", "asynq:{exports}:scheduled", 1000+i*b.seconds/b.jobs, m)
	}
	if _, err := b.c.Do("PING"); err != nil {
		return 0, err //nolint:wrapcheck // main prints it
	}
	held := make(chan struct{})
	server := asynq.NewServer(opt, asynq.Config{
		Concurrency: 1, Queues: map[string]int{"exports": 1}, DelayedTaskCheckInterval: time.Second,
		Logger: silent{log.New(io.Discard, "", 0)}, ShutdownTimeout: time.Millisecond,
	})
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { <-held; return nil })); err != nil {
		return 0, err //nolint:wrapcheck // main prints it
	}
	rate, err := b.moved("asynq:{exports}:pending", b.jobs-1, time.Time{})
	close(held)
	server.Shutdown()
	return rate, err
}

// ruby measures Ruby's scheduler with a tenth of the jobs, because it is slow.
func (b *bench) ruby(ctx context.Context) (float64, error) {
	jobs := b.jobs / 10
	if err := b.fill(jobs); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, "ruby", filepath.Join("peers", "scheduler.rb"), b.addr)
	cmd.Stderr = os.Stderr
	used := b.cpu()
	out, err := cmd.Output()
	b.busy = (b.cpu() - used) / float64(jobs)
	if err != nil {
		return 0, fmt.Errorf("needs Ruby with resque-scheduler: %w", err)
	}
	var took float64
	if _, err := fmt.Sscan(string(out), &took); err != nil {
		return 0, fmt.Errorf("reading its result: %w", err)
	}
	return float64(jobs) / took, nil
}

// silent is a logger that writes nothing.
type silent struct{ *log.Logger }

func (silent) Debug(...any) {}
func (silent) Info(...any)  {}
func (silent) Warn(...any)  {}
func (silent) Error(...any) {}
