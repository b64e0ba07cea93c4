//go:build unix

package worker_test

import (
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/worker"
)

// What the error of a job means for further attempts is decided in the child, which has
// the error itself, and done by the worker.
func TestErrorsOfAChildDecideAboutRetries(t *testing.T) {
	t.Parallel()
	sheet := newSheet(t)
	var jobs []resque.Job
	for _, class := range []string{"Snoozes", "Discards", "WaitsLonger", "Retries", "Refuses"} {
		jobs = append(jobs, resque.Job{Queue: "q", Class: class, Args: []any{sheet.path}})
	}
	s, failed := forkUntilEmpty(t, worker.Config{}, jobs...)
	for class, performed := range map[string]int{"Snoozes": 2, "Discards": 1, "WaitsLonger": 1, "Retries": 3, "Refuses": 1} {
		assert.Equal(t, performed, sheet.count(class), class)
		if class != "Snoozes" {
			assert.Equal(t, performed, sheet.count("hook of "+class), class)
		}
	}
	assert.Zero(t, sheet.count("hook of Snoozes"), "this has not failed")
	var recorded []string
	for _, f := range failed {
		recorded = append(recorded, f.Payload.Class)
	}
	assert.ElementsMatch(t, []string{"Discards", "Retries", "Refuses"}, recorded)
	c := s.Conn(t)
	due, err := redis.Int64s(c.Do("ZRANGE", "resque:delayed_queue_schedule", 0, -1))
	require.NoError(t, err)
	require.Len(t, due, 1)
	assert.WithinDuration(t, time.Now().Add(time.Hour), time.Unix(due[0], 0), time.Minute)
	assert.EqualValues(t, 7, number(t, c, "resque:stat:processed"), "all but the snoozed one")
	assert.EqualValues(t, 6, number(t, c, "resque:stat:failed"))
}

// Rails' attempts are counted in the payload. Only the last one is a failure.
func TestRailsJobsOfAChildAreRetried(t *testing.T) {
	t.Parallel()
	sheet := newSheet(t)
	job := activejob.Job{Class: "RailsJob", Queue: "q", Args: []any{sheet.path}}.Resque()
	s, failed := forkUntilEmpty(t, worker.Config{}, job)
	assert.Equal(t, 3, sheet.count("RailsJob"))
	assert.Equal(t, 1, sheet.count("hook of RailsJob"))
	require.Len(t, failed, 1)
	data, ok := failed[0].Payload.Args[0].(map[string]any)
	require.True(t, ok)
	assert.EqualValues(t, 2, data["executions"])
	assert.Equal(t, map[string]any{"[StandardError]": 2.0}, data["exception_executions"])
	c := s.Conn(t)
	assert.EqualValues(t, 3, number(t, c, "resque:stat:processed"))
	assert.EqualValues(t, 1, number(t, c, "resque:stat:failed"))
}
