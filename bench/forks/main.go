// Command forks is a worker with a process per job, for the bench. The program links
// only the library. With the build tag shipped it links what the goresque command
// links, because the size of the program affects the time to start a child process.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "forks:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	mux := resque.NewMux()
	mux.Handle(resque.Define1[int64]("Noop", "queue0").Handler(func(context.Context, int64) error { return nil }))
	if worker.IsChild() {
		return worker.ServeChild(ctx, mux)
	}
	var task struct {
		Addr                  string
		Jobs, Slots, PerChild int
	}
	if err := json.Unmarshal([]byte(os.Getenv("GORESQUE_BENCH_TASK")), &task); err != nil {
		return fmt.Errorf("reading the task: %w", err)
	}
	rdb, err := resque.Open(resque.RedisConfig{URL: task.Addr})
	if err != nil {
		return err
	}
	defer rdb.Close()
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	w, err := worker.New(client, mux, worker.Config{
		Queues: []string{"queue0"}, Concurrency: task.Slots, ForkPerJob: true, JobsPerChild: task.PerChild,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	began := time.Now()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	if err := waitProcessed(ctx, rdb, task.Jobs); err != nil {
		return err
	}
	seconds := time.Since(began).Seconds()
	stop()
	if err := <-ended; err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{"rate": float64(task.Jobs) / seconds}) //nolint:wrapcheck // a pipe to the parent process
}

// waitProcessed waits until n jobs are counted as processed.
func waitProcessed(ctx context.Context, rdb *resque.Redis, n int) error {
	c, err := rdb.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		done, err := redis.Int(c.Do("GET", rdb.Key("stat", "processed")))
		if err != nil && !errors.Is(err, redis.ErrNil) {
			return fmt.Errorf("counting: %w", err)
		}
		if done >= n {
			return nil
		}
		<-time.After(2 * time.Millisecond)
	}
}
