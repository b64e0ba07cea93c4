package otel

import (
	"bytes"
	"encoding/json"

	"go.opentelemetry.io/otel/propagation"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// carrier is where a propagator writes: the members of a job to be enqueued.
type carrier struct{ job *resque.Job }

var _ propagation.TextMapCarrier = carrier{}

func (c carrier) Set(key, value string) { *c.job = c.job.WithMember(key, value) }
func (c carrier) Get(string) string     { return "" }
func (c carrier) Keys() []string        { return nil }

// payload is where a propagator reads: the members of a job's payload.
type payload struct{ job *resque.Reserved }

var _ propagation.TextMapCarrier = payload{}

// Get reads a member that Ruby's instrumentation of Resque, or Carry, has added
// to the payload, or else what Ruby's of ActiveJob has added to the job's data.
func (p payload) Get(key string) string {
	if raw, ok := p.job.Member(key); ok {
		var value string
		_ = json.Unmarshal(raw, &value) // what is no text is none
		return value
	}
	return railsHeaders(p.job)[key]
}

func (p payload) Set(string, string) {}
func (p payload) Keys() []string     { return nil }

// headersMember is where Ruby's instrumentation of ActiveJob keeps what it carries,
// as pairs.
const headersMember = "__otel_headers"

func railsHeaders(job *resque.Reserved) map[string]string {
	if !bytes.Contains(job.Payload, []byte(headersMember)) {
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

// railsID is the job's id, where it is one of Rails.
func railsID(job *resque.Reserved) string {
	if !bytes.Contains(job.Payload, []byte(activejob.JobWrapper)) {
		return ""
	}
	data, _ := activejob.DataOf(job)
	return data.ID
}
