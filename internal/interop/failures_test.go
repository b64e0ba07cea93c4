package interop_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// oldest returns the failures as Go reads them, the oldest first.
func oldest(t *testing.T, server *redistest.Server) (all []resque.FailedJob) {
	t.Helper()
	for job, err := range server.Client(t).Failures().Oldest(t.Context(), resque.FailureFilter{}) {
		require.NoError(t, err)
		require.NoError(t, job.Damage)
		all = append(all, job)
	}
	return all
}

// Jobs of every kind fail in Ruby. Go reads the failures, requeues and performs
// them.
func TestGoRequeuesRubysFailures(t *testing.T) {
	t.Parallel()
	const n = 84 // every pair of arguments and kind, once
	server := start(t)
	jobs := mixed(t, n)
	enqueue(t, server, jobs...)
	rubyWith(t, server, []string{"FORK_PER_JOB=false", "FAIL=1"}, "work_mixed.rb")
	_, err := server.Conn(t).Do("DEL", "resque:seen:ruby")
	require.NoError(t, err)

	want := payloads(t, jobs)
	failed := oldest(t, server)
	require.Len(t, failed, n)
	for i, job := range failed {
		require.Equal(t, want[i], string(job.Payload))
		assert.Equal(t, "RuntimeError", job.Exception)
		assert.Equal(t, "no job "+strconv.Itoa(i), job.Error)
		assert.Equal(t, "mixed", job.Queue)
		assert.Regexp(t, `^[^~:]+:\d+:mixed$`, job.Worker)
		assert.Regexp(t, "mixed.rb:\\d+:in `perform'", job.Backtrace[0])
		assert.WithinDuration(t, time.Now(), job.FailedAt, 5*time.Minute)
		assert.False(t, job.Requeued)
	}

	done, err := server.Client(t).Failures().RequeueAll(t.Context(), resque.RequeueOptions{}, resque.FailureFilter{Class: "Mixed"}, nil)
	require.NoError(t, err)
	assert.EqualValues(t, n, done.Done)
	require.Equal(t, want, list(t, server, "resque:queue:mixed"))
	var seen performedJobs
	work(t, server, seen.handler(want, func(int) error { return nil }), "mixed")
	seen.requireOnce(t, server, n)
}

func TestRubyAndGoSeeEachOthersRequeues(t *testing.T) {
	t.Parallel()
	server := start(t)
	failInGo(t, server, mixed(t, 2))
	ruby(t, server, "failure.rb", "requeue", "0")
	failed := oldest(t, server)
	require.Len(t, failed, 2)
	assert.True(t, failed[0].Requeued)
	assert.WithinDuration(t, time.Now(), failed[0].RequeuedAt, time.Minute)

	f := server.Client(t).Failures()
	_, err := f.Requeue(t.Context(), resque.RequeueOptions{}, failed[0].ID)
	require.ErrorIs(t, err, resque.ErrFailureRequeued)
	_, err = f.Requeue(t.Context(), resque.RequeueOptions{}, failed[1].ID)
	require.NoError(t, err)
	ruby(t, server, "failure.rb", "clear_retried")
	require.Empty(t, oldest(t, server), "Ruby clears what Go has requeued")
}

// Go reads node-resque's form of failures, requeues and performs them.
func TestGoRequeuesNodesFailures(t *testing.T) {
	t.Parallel()
	const n = 400
	server := startNode(t)
	jobs := forNode(t, n)
	enqueue(t, server, jobs...)
	node(t, server, "work.js")
	failed := oldest(t, server)
	require.Len(t, failed, n/100)
	var want []string
	for i, job := range failed {
		index := 100*i + 99
		want = append(want, payloads(t, jobs)[index])
		assert.Equal(t, want[i], string(job.Payload))
		assert.Equal(t, "TypeError", job.Exception)
		assert.Equal(t, "no job "+strconv.Itoa(index), job.Error)
		assert.WithinDuration(t, time.Now(), job.FailedAt, 5*time.Minute)
		assert.Contains(t, job.Backtrace[0], "work.js")
	}
	_, err := server.Client(t).Failures().RequeueAll(t.Context(), resque.RequeueOptions{Remove: true}, resque.FailureFilter{All: true}, nil)
	require.NoError(t, err)
	require.Empty(t, oldest(t, server))
	assert.Equal(t, want, list(t, server, "resque:queue:mixed"))
	work(t, server, (&performedJobs{}).handler(payloads(t, jobs), func(int) error { return nil }), "mixed")
}

// The job has no arguments. Its payload had the args [], but the worker's record
// has {}.
func TestGoRequeuesADeadNodeWorkersJob(t *testing.T) {
	t.Parallel()
	server := startNode(t)
	enqueue(t, server, resque.Job{Queue: "mixed", Class: "Mixed"})
	hang(t, server)
	client := server.Client(t)
	_, err := client.Prune(t.Context(), "peer:7:mixed", resque.PruneOptions{Force: true})
	require.NoError(t, err)
	failed := oldest(t, server)
	require.Len(t, failed, 1)
	assert.Empty(t, failed[0].Args)
	_, err = client.Failures().Requeue(t.Context(), resque.RequeueOptions{}, failed[0].ID)
	require.NoError(t, err)
	waiting, err := redis.Int(server.Conn(t).Do("LLEN", "resque:queue:mixed"))
	require.NoError(t, err)
	assert.Equal(t, 1, waiting)
}
