//go:build unix

package worker_test

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// midRun performs jobs and calls halfway once, when half of them are done.
func midRun(c *tally, halfway func()) *resque.Mux {
	mux := resque.NewMux()
	var once sync.Once
	mux.Handle(resque.Define1[int64]("Exporter", "exports").Handler(func(_ context.Context, id int64) error {
		c.count(id)
		if id == int64(c.want/2) {
			once.Do(halfway)
		}
		return nil
	}))
	return mux
}

// The server is stopped and continued while jobs are running.
func TestWorkerSurvivesAStoppedRedis(t *testing.T) {
	t.Parallel()
	const jobs = 40
	server := redistest.StartReal(t)
	enqueue(t, server, exporters(jobs)...)
	hung := make(chan struct{})
	c := newTally(jobs)
	mux := midRun(c, func() {
		assert.NoError(t, syscall.Kill(server.PID, syscall.SIGSTOP))
		close(hung)
	})
	w := newWorker(t, server, mux, worker.Config{Queues: []string{"exports"}, Concurrency: 3, UntilEmpty: true})
	end := goRun(t, w)
	<-hung
	<-time.After(300 * time.Millisecond)
	require.NoError(t, syscall.Kill(server.PID, syscall.SIGCONT))
	require.NoError(t, <-end)
	c.requireOnce(t)
	requireFinished(t, server, jobs, 0)
}

// The server is killed while jobs are running, and started again with its data from
// disk.
func TestWorkerSurvivesAKilledRedis(t *testing.T) {
	t.Parallel()
	const jobs = 40
	durable := []string{"--dir", t.TempDir(), "--appendonly", "yes", "--appendfsync", "always"}
	server := redistest.StartReal(t, durable...)
	enqueue(t, server, exporters(jobs)...)
	dead := make(chan struct{})
	c := newTally(jobs)
	mux := midRun(c, func() {
		assert.NoError(t, syscall.Kill(server.PID, syscall.SIGKILL))
		close(dead)
	})
	var log journal
	w := newWorker(t, server, mux, worker.Config{
		Queues: []string{"exports"}, Concurrency: 3, PollInterval: 50 * time.Millisecond, Logger: log.logger(),
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	end := make(chan error, 1)
	go func() { end <- w.Run(ctx) }()

	<-dead
	eventually(t, func() bool { return log.count("redis is away") == 1 }, "the worker has not noticed")
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "redis://"), ":")
	redistest.StartAgain(t, append([]string{"--port", port}, durable...)...)
	<-c.done
	eventually(t, func() bool { return number(t, server.Conn(t), "resque:stat:processed") == jobs }, "not all ends arrived")
	cancel()
	require.NoError(t, <-end)

	c.requireOnce(t)
	requireFinished(t, server, jobs, 0)
	assert.Equal(t, 1, log.count("redis is away"))
	assert.Equal(t, 1, log.count("redis is back"))
	assert.Regexp(t, `redis is away.* cause=.* advice=`, log.said(), "the line says why and what to do")
}
