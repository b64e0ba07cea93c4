package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
)

// Parameter is an argument that a person may give when running an entry by hand: a member
// of the hash that is the job's only argument.
//
// Ruby: parameters.
type Parameter struct{ Name, Description, Default string }

// ErrArguments is wrapped by the error of [RunWith] if parameters cannot be added to the
// arguments of the entry.
var ErrArguments = errors.New("scheduler: the arguments of the schedule are not one hash")

// RunWith is like [RunNow], but sets members of the hash that is the job's argument to
// values. It ignores values whose names are not among the entry's Parameters.
//
// Ruby: Resque::Scheduler::Server's /schedule/requeue_with_params.
func RunWith(ctx context.Context, client *resque.Client, name string, values map[string]string) (resque.Receipt, error) {
	return runNow(ctx, client, name, func(s Schedule, job resque.Job) (resque.Job, error) {
		args, err := s.argsWith(values)
		if err != nil {
			return job, fmt.Errorf("%w: %q", err, name)
		}
		job.Args = args
		return job, nil
	})
}

// argsWith returns the arguments with values. Ruby: Hash#merge, which keeps the places of
// members that exist.
func (e Entry) argsWith(values map[string]string) ([]any, error) {
	hash := []byte("{}")
	if len(e.Job.Args) > 0 {
		raw, err := rubyjson.Append(nil, e.Job.Args[0])
		if err != nil {
			return nil, err
		}
		hash = raw
	}
	members, ok := rubyjson.Members(hash)
	if !ok || len(e.Job.Args) > 1 {
		return nil, ErrArguments
	}
	set := map[string]bool{}
	out := []byte("{")
	add := func(name string, value any) (err error) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		if out, err = rubyjson.Append(out, name); err == nil {
			out, err = rubyjson.Append(append(out, ':'), value)
		}
		return err
	}
	for _, m := range members {
		value := any(json.RawMessage(m.Value(hash)))
		if text, given := values[m.Name]; given && e.hasParameter(m.Name) {
			value, set[m.Name] = text, true
		}
		if err := add(m.Name, value); err != nil {
			return nil, err
		}
	}
	for _, p := range e.Parameters {
		text, given := values[p.Name]
		if !given || set[p.Name] {
			continue
		}
		if err := add(p.Name, text); err != nil {
			return nil, err
		}
	}
	return []any{json.RawMessage(append(out, '}'))}, nil
}

func (e Entry) hasParameter(name string) bool {
	for _, p := range e.Parameters {
		if p.Name == name {
			return true
		}
	}
	return false
}

// readParameters reads parameters. What cannot be read is left out, because it only
// matters for a person who runs the entry by hand.
func readParameters(text json.RawMessage) (parameters []Parameter) {
	members, _ := rubyjson.Members(text)
	for _, m := range members {
		p := Parameter{Name: m.Name}
		if about, ok := objectOf(m.Value(text)); ok {
			p.Description, p.Default = plainText(about["description"]), plainText(about["default"])
		}
		parameters = append(parameters, p)
	}
	return parameters
}

// plainText returns a string without its quotes, and another value as it is spelled.
func plainText(value json.RawMessage) string {
	if text, ok := rubyjson.Text(value); ok || string(value) == "null" {
		return text
	}
	return string(value)
}

// parameters returns the parameters in JSON, as Ruby spells them.
func (e Entry) parameters() (json.RawMessage, error) {
	out := []byte("{")
	for i, p := range e.Parameters {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = rubyjson.Append(out, p.Name); err != nil {
			return nil, err
		}
		about := map[string]string{}
		if p.Description != "" {
			about["description"] = p.Description
		}
		if p.Default != "" {
			about["default"] = p.Default
		}
		if out, err = rubyjson.Append(append(out, ':'), about); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}
