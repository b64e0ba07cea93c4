package interop_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/resque"
)

// traced returns the jobs of exporters with the member that resque/otel adds.
func traced(t *testing.T) (jobs []resque.Job) {
	t.Helper()
	for _, job := range exporters(t) {
		jobs = append(jobs, job.WithMember("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
	}
	return jobs
}

func TestRubyPerformsJobsWithUnknownMembers(t *testing.T) {
	t.Parallel()
	server := start(t)
	enqueue(t, server, traced(t)...)
	assert.Empty(t, ruby(t, server, "work.rb"))
}

// docs/wire.md documents this as the cost of added members.
func TestRubyDoesNotDequeueJobsWithMembers(t *testing.T) {
	t.Parallel()
	server := start(t)
	enqueue(t, server, traced(t)...)
	for _, n := range reply[[]any](t, ruby(t, server, "dequeue.rb"))[1:] {
		assert.Zero(t, n)
	}
	assert.Equal(t, payloads(t, traced(t)), list(t, server, "resque:queue:exports"))
}
