package worker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/worker"
)

// A job of Rails is wrapped in another. The time limit, the failure and the log use the
// class of the job inside.
func TestRailsJobsAreRecordedByTheirOwnClass(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	mux := resque.NewMux()
	mux.Handle(activejob.Define0("SlowJob", "q", resque.Timeout(20*time.Millisecond)).Handler(func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}))
	mux.Handle(activejob.Define1[int64]("ExportJob", "q").Handler(func(context.Context, int64) error { return nil }))
	enqueue(t, s,
		activejob.Define0("SlowJob", "q").Job(), activejob.Define1[string]("ExportJob", "q").Job("x"),
		activejob.Define0("NopeJob", "q").Job(), activejob.Define1[int64]("ExportJob", "q").Job(1),
		resque.Job{Queue: "q", Class: activejob.JobWrapper, Args: []any{1}})
	c := s.Conn(t)
	payloads, err := redis.Strings(c.Do("LRANGE", "resque:queue:q", 0, -1))
	require.NoError(t, err)
	log := &journal{}
	w := newWorker(t, s, mux, worker.Config{Queues: []string{"q"}, UntilEmpty: true, Logger: log.logger()})
	require.NoError(t, w.Run(t.Context()))

	failed := recordedFailures(t, c)
	require.Len(t, failed, 4)
	for i, want := range []struct{ payload, text string }{
		{payloads[0], `"exception":"Timeout::Error","error":"SlowJob: execution expired after 20ms"`},
		{payloads[1], `"exception":"ArgumentError","error":"ExportJob: argument 1: want int64, got \"x\""`},
		{payloads[2], `"exception":"NameError","error":"uninitialized constant NopeJob (no Go handler is registered for this class)"`},
		{payloads[4], `"exception":"ActiveJob::DeserializationError","error":"not an ActiveJob job: its argument is not an object"`},
	} {
		assert.Contains(t, failed[i], `"payload":`+want.payload+`,`, "as it was popped")
		assert.Contains(t, failed[i], want.text)
	}
	assert.Equal(t, 1, log.count(`msg="job done" class=ExportJob`))
	assert.Equal(t, 1, log.count(`msg="job failed" class=NopeJob`))
}

// Failure backends get the class and the arguments of the job that failed, from workers
// and from what prunes a dead worker.
func TestFailureBackendsGetClassAndArguments(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	export := activejob.Define1[int64]("ExportJob", "q")
	mux := resque.NewMux()
	mux.Handle(export.Handler(func(context.Context, int64) error { return errors.New("no disk") }))
	mux.Handle(resque.Define1[int64]("Exporter", "q").Handler(func(context.Context, int64) error { return errors.New("no disk") }))
	type told struct{ class, args string }
	var failures []told // one job at a time
	backend := resque.FailureBackendFunc(func(_ context.Context, f resque.Failure) error {
		failures = append(failures, told{f.Class, fmt.Sprintf("%s", f.Args)})
		return nil
	})
	enqueue(t, s, export.Job(7), resque.Job{Queue: "q", Class: "Exporter", Args: []any{int64(8)}})
	_, err := c.Do("RPUSH", "resque:queue:q", "not a job")
	require.NoError(t, err)
	w := newWorker(t, s, mux, worker.Config{Queues: []string{"q"}, UntilEmpty: true, FailureBackends: []resque.FailureBackend{backend}})
	require.NoError(t, w.Run(t.Context()))

	payload, err := export.Job(9).Encode()
	require.NoError(t, err)
	for _, command := range [][]any{
		{"SADD", "resque:workers", "dead:1:q"},
		{"SET", "resque:worker:dead:1:q", `{"queue":"q","run_at":"2026-01-15T12:00:00Z","payload":` + string(payload) + `}`},
	} {
		do(t, c, command[0].(string), command[1:]...)
	}
	_, err = s.Client(t).Prune(t.Context(), "dead:1:q", resque.PruneOptions{
		Force: true, Handler: mux, FailureLists: resque.FailuresTogether, FailureBackends: []resque.FailureBackend{backend},
	})
	require.NoError(t, err)
	assert.Equal(t, []told{{"ExportJob", "[7]"}, {"Exporter", "[8]"}, {"", "[]"}, {"ExportJob", "[9]"}}, failures)
	assert.Contains(t, recordedFailures(t, c)[3], string(payload), "the record has the payload as it was")
}

func recordedFailures(t *testing.T, c redis.Conn) []string {
	t.Helper()
	failed, err := redis.Strings(c.Do("LRANGE", "resque:failed", 0, -1))
	require.NoError(t, err)
	return failed
}

func TestUnknownRailsJobsArePutBack(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	mux := resque.NewMux()
	mux.Handle(activejob.Define0("ExportJob", "q").Handler(func(context.Context) error { return nil }))
	enqueue(t, s, activejob.Define0("NopeJob", "q").Job(), activejob.Define0("ExportJob", "q").Job())
	c := s.Conn(t)
	w := newWorker(t, s, mux, worker.Config{Queues: []string{"q"}, UnknownClass: worker.PutBackUnknown, PollInterval: 20 * time.Millisecond})
	goRun(t, w)
	eventually(t, func() bool { return number(t, c, "resque:stat:processed") == 1 }, "the known job is not performed")
	eventually(t, func() bool { return number(t, c, "resque:stat:processed") == 1 && length(t, c, "resque:queue:q") == 1 }, "the other is not put back")
	assert.Equal(t, 0, length(t, c, "resque:failed"))
}

func length(t *testing.T, c redis.Conn, key string) int {
	t.Helper()
	n, err := redis.Int(c.Do("LLEN", key))
	require.NoError(t, err)
	return n
}
