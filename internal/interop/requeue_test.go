package interop_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// failed has the members of a failure that these tests check.
type failed struct {
	Payload   json.RawMessage
	Queue     string
	RetriedAt string `json:"retried_at"`
}

func failures(t *testing.T, server *redistest.Server) []failed {
	t.Helper()
	var all []failed
	for _, text := range list(t, server, "resque:failed") {
		all = append(all, reply[failed](t, text))
	}
	return all
}

func failedPayloads(t *testing.T, server *redistest.Server) (payloads []string) {
	t.Helper()
	for _, f := range failures(t, server) {
		payloads = append(payloads, string(f.Payload))
	}
	return payloads
}

// failInGo enqueues jobs and performs them with a Go worker that fails them.
func failInGo(t *testing.T, server *redistest.Server, jobs []resque.Job) {
	t.Helper()
	enqueue(t, server, jobs...)
	fail := func(int) error { return errors.New("not now") }
	work(t, server, (&performedJobs{}).handler(nil, fail), "mixed", "mixed:too")
	require.Len(t, failures(t, server), len(jobs))
}

// Ruby requeues Go's failures with each of its methods. Then Go and Ruby perform
// the jobs.
func TestRubyRequeuesGoFailures(t *testing.T) {
	t.Parallel()
	const n = 84 // every pair of arguments and kind, once
	calls := func(count int) (calls [][]string) {
		for i := range count {
			calls = append(calls, []string{"requeue", strconv.Itoa(i)})
		}
		return calls
	}
	for name, requeue := range map[string][][]string{
		"requeue":       calls(3),
		"requeue_all":   {{"requeue_all"}},
		"requeue_queue": {{"requeue_queue", "mixed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			jobs := mixed(t, n)
			failInGo(t, server, append(slices.Clone(jobs), resque.Job{Queue: "mixed:too", Class: "Mixed", Args: []any{n}}))
			for _, call := range requeue {
				ruby(t, server, "failure.rb", call...)
			}
			back, other := n, 0
			switch name {
			case "requeue":
				back = len(requeue)
			case "requeue_all":
				other = 1
			}
			want := payloads(t, jobs)
			require.Equal(t, want[:back], list(t, server, "resque:queue:mixed"), "the bytes are the same")
			require.Len(t, list(t, server, "resque:queue:mixed:too"), other)
			for i, f := range failures(t, server) {
				assert.Equal(t, i < back || other == 1, f.RetriedAt != "", i)
			}
			requirePerformed(t, server, want[:back])
		})
	}
}

// requirePerformed performs the jobs of the queue mixed with Ruby, and the same
// jobs again with Go.
func requirePerformed(t *testing.T, server *redistest.Server, want []string) {
	t.Helper()
	rubyWith(t, server, []string{"FORK_PER_JOB=false"}, "work_mixed.rb")
	(&performedJobs{}).requireOnce(t, server, len(want))

	c := server.Conn(t)
	for _, payload := range want {
		_, err := c.Do("RPUSH", "resque:queue:mixed", payload)
		require.NoError(t, err)
	}
	_, err := c.Do("DEL", "resque:seen:ruby")
	require.NoError(t, err)
	var done performedJobs
	work(t, server, done.handler(want, func(int) error { return nil }), "mixed")
	done.requireOnce(t, server, len(want))
}

// Ruby removes Go's failures with each of its methods.
func TestRubyRemovesGoFailures(t *testing.T) {
	t.Parallel()
	server := start(t)
	jobs := mixed(t, 5)
	for i := range jobs[3:] {
		jobs[3+i].Queue = "mixed:too"
	}
	failInGo(t, server, jobs)
	left := func() []string { return failedPayloads(t, server) }
	want := payloads(t, jobs)
	ruby(t, server, "failure.rb", "remove", "1")
	require.Equal(t, []string{want[0], want[2], want[3], want[4]}, left())
	ruby(t, server, "failure.rb", "requeue", "0")
	ruby(t, server, "failure.rb", "clear_retried")
	require.Equal(t, want[2:], left())
	ruby(t, server, "failure.rb", "remove_queue", "mixed:too")
	require.Equal(t, want[2:3], left())
	ruby(t, server, "failure.rb", "clear")
	require.Empty(t, left())
}

// Ruby requeues a payload that was not JSON, in the form in which Go recorded it: a
// job of the class "<unreadable>". Go must not fail it for its unknown class.
func TestUnreadablePayloadStaysUnreadableAfterRubysRequeue(t *testing.T) {
	t.Parallel()
	server := start(t)
	const raw, recorded = "{\"class\":\"Mixed\"", `{"class":"<unreadable>","args":["{\"class\":\"Mixed\""]}`
	_, err := server.Conn(t).Do("RPUSH", "resque:queue:mixed", raw)
	require.NoError(t, err)
	work(t, server, resque.NewMux(), "mixed")
	require.Equal(t, []string{recorded}, failedPayloads(t, server))

	ruby(t, server, "failure.rb", "requeue", "0")
	require.Equal(t, []string{recorded}, list(t, server, "resque:queue:mixed"))
	work(t, server, resque.NewMux(), "mixed")
	require.Equal(t, []string{recorded, recorded}, failedPayloads(t, server), "must be recorded unchanged")
	assert.Contains(t, list(t, server, "resque:failed")[1], `"exception":"Resque::Helpers::DecodeException"`)
}

func TestRubysFrontEndActsOnGoFailures(t *testing.T) {
	t.Parallel()
	server := start(t, "sinatra/base", "rack")
	press := func(buttons ...string) {
		statuses := reply[[]int](t, ruby(t, server, "press.rb", buttons...))
		require.Equal(t, slices.Repeat([]int{302}, len(buttons)), statuses, "must redirect to the page")
	}
	jobs := mixed(t, 4)
	want := payloads(t, jobs)
	failInGo(t, server, jobs)

	press("get /failed/requeue/1", "get /failed/remove/0")
	require.Equal(t, want[1:2], list(t, server, "resque:queue:mixed"))
	require.Len(t, failures(t, server), 3)
	press("post /failed/clear_retried", "post /failed/requeue/all")
	require.Equal(t, want[1:], list(t, server, "resque:queue:mixed"))
	require.Equal(t, want[2:], failedPayloads(t, server))
	press("post /failed/clear", "post /queues/mixed/remove")
	require.Empty(t, failures(t, server))
	require.Equal(t, counts{Processed: 4}, counted(t, server))
}
