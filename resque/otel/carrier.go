package otel

import (
	"bytes"
	"encoding/json"

	"go.opentelemetry.io/otel/propagation"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// carrier lets a propagator add members to a job that is enqueued.
type carrier struct{ job *resque.Job }

var _ propagation.TextMapCarrier = carrier{}

func (c carrier) Set(key, value string) { *c.job = c.job.WithMember(key, value) }
func (c carrier) Get(string) string     { return "" }
func (c carrier) Keys() []string        { return nil }

// payload lets a propagator read the members of a job's payload.
type payload struct{ job *resque.Payload }

var _ propagation.TextMapCarrier = payload{}

// Get returns a member of the payload, which Carry or Ruby's instrumentation of
// Resque has added. If there is none, it returns the header that Ruby's
// instrumentation of ActiveJob has added to the job's data.
func (p payload) Get(key string) string {
	if raw, ok := p.job.Member(key); ok {
		var value string
		_ = json.Unmarshal(raw, &value) // a member that is not a string is ignored
		return value
	}
	return railsHeaders(p.job)[key]
}

func (p payload) Set(string, string) {}
func (p payload) Keys() []string     { return nil }

// headersMember is the member in which Ruby's instrumentation of ActiveJob carries
// its headers, as pairs.
const headersMember = "__otel_headers"

func railsHeaders(job *resque.Payload) map[string]string {
	if !bytes.Contains(job.Raw, []byte(headersMember)) {
		return nil
	}
	data, ok := activejob.DataOf(job)
	if !ok {
		return nil
	}
	raw, ok := data.Member(headersMember)
	if !ok {
		return nil
	}
	var pairs [][2]string
	if json.Unmarshal(raw, &pairs) != nil {
		return nil
	}
	headers := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		headers[pair[0]] = pair[1]
	}
	return headers
}

// railsID returns the job_id of a Rails job, or "" for other jobs.
func railsID(job *resque.Payload) string {
	if !bytes.Contains(job.Raw, []byte(activejob.JobWrapper)) {
		return ""
	}
	data, _ := activejob.DataOf(job)
	return data.ID
}
