//go:build linux

package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/resque/scheduler"
	"github.com/goresque/goresque/worker"
)

// The environment of a process of the fleet.
const (
	envRole   = "CHAOS_ROLE"
	envRedis  = "CHAOS_REDIS"
	envLedger = "CHAOS_LEDGER"
)

// The roles of the processes.
const (
	roleWorker    = "worker"
	roleFork      = "fork" // a worker with a child process for each job
	roleScheduler = "scheduler"
	roleRuby      = "ruby" // Ruby's worker, with the two classes
)

const rubyWorker = `
require 'resque'
Resque.redis = ENV.fetch('CHAOS_REDIS')

class Exporter
  def self.perform(id)
    note('begun', id)
    sleep(rand(20) / 1000.0)
    note('done', id)
  end

  def self.note(what, id)
    File.open(ENV.fetch('CHAOS_LEDGER'), 'a') { |f| f.syswrite("#{what} #{id}\n") }
  end
end

class Flaky < Exporter; end

Resque::Worker.new('exports').work(0.1)
`

// command returns the command of a role.
func command(role string) *exec.Cmd {
	if role == roleRuby {
		return exec.Command("ruby", "-e", rubyWorker)
	}
	return exec.Command(os.Args[0])
}

// hasRuby reports whether Ruby's Resque can be started.
func hasRuby() bool { return exec.Command("ruby", "-e", "require 'resque'").Run() == nil }

// The intervals of the workers. They are long compared with the delays of a busy machine.
const (
	heartbeat = 2 * time.Second
	prune     = 6 * time.Second
)

// TestMain runs the test binary as a process of the fleet.
func TestMain(m *testing.M) {
	role := os.Getenv(envRole)
	if role == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := play(ctx, role); err != nil {
		slog.Error("a process of the fleet ended", "role", role, "err", err)
		os.Exit(1) //nolint:gocritic // nothing is left to do
	}
	os.Exit(0)
}

// play runs the process until ctx ends.
func play(ctx context.Context, role string) error {
	mux := resque.NewMux()
	mux.Handle(exporter.Handler(export))
	mux.Handle(flaky.Handler(fail))
	rdb, err := resque.Open(resque.RedisConfig{URL: os.Getenv(envRedis), ReadTimeout: 2 * time.Second})
	if err != nil {
		return err
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	if worker.IsChild() {
		return worker.ServeChild(resque.WithClient(ctx, client), mux)
	}
	if role == roleScheduler {
		s, err := scheduler.New(client, scheduler.Config{LockTTL: 3 * time.Second})
		if err != nil {
			return err
		}
		return s.Run(ctx)
	}
	w, err := worker.New(client, mux, worker.Config{
		Queues: []string{exporter.Queue()}, Concurrency: 4, ForkPerJob: role == roleFork,
		PollInterval: 500 * time.Millisecond, HeartbeatInterval: heartbeat, PruneAfter: prune,
		OnCrash: worker.RequeueCrashed, CrashLimit: 1000, OnShutdown: worker.RequeueInterrupted,
	})
	if err != nil {
		return err
	}
	for { // Redis may be away at the start
		err := w.Run(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		slog.Warn("the worker did not start, trying again", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// The jobs. One that is flaky fails the first time and is retried.
var (
	exporter = resque.Define1[int]("Exporter", "exports")
	flaky    = resque.Define1[int]("Flaky", "exports", retry.Policy{Limit: 1000, Delay: retry.After(time.Second)})
)

func export(ctx context.Context, id int) error {
	if err := note("begun", id); err != nil {
		return err
	}
	select {
	case <-ctx.Done(): // only if the record is gone, or the worker stops
		return context.Cause(ctx)
	case <-time.After(time.Duration(rand.IntN(20)) * time.Millisecond):
	}
	return note("done", id)
}

func fail(ctx context.Context, id int) error {
	a, err := retry.Attempt(ctx)
	if err != nil {
		return err
	}
	if a.Attempt == 1 {
		return errors.New("the first attempt fails")
	}
	return export(ctx, id)
}

// note appends a line to the ledger. A line is one write, so it is whole whatever kills
// the process.
func note(what string, id int) error {
	f, err := os.OpenFile(os.Getenv(envLedger), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %d\n", what, id)
	return errors.Join(err, f.Close())
}
