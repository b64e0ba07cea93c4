package retry

import (
	"context"
	"errors"
	"fmt"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

type policyKey struct{}

// inContext is middleware that lets Attempt find the policy.
func (p *Policy) inContext(next resque.Handler) resque.Handler {
	return resque.HandlerFunc(func(ctx context.Context, job *resque.Payload) error {
		return next.Perform(context.WithValue(ctx, policyKey{}, p), job)
	})
}

// Attempt returns the state of the attempts of the job that is performed with ctx. It
// reads Redis. In a child process, which has no connection to Redis of its own, the
// context of worker.ServeChild must have a client: see [resque.WithClient].
//
// Ruby: Resque::Plugins::Retry#retry_attempt, which is 0 for the first attempt.
func Attempt(ctx context.Context) (State, error) {
	p, ok := ctx.Value(policyKey{}).(*Policy)
	given, found := resque.FromContext(ctx)
	if !ok || !found {
		return State{}, errors.New("retry: Attempt: ctx is not that of a job whose class has a retry.Policy")
	}
	client, ok := resque.ClientFromContext(ctx)
	if !ok || client.Redis() == nil {
		return State{}, errors.New("retry: Attempt: ctx has no client with a Redis (in a child process, pass resque.WithClient to ServeChild)")
	}
	at := store.WithoutScripts(client.Redis())
	job := &policy.Job{Class: given.Class, Queue: given.Queue, Args: given.Args, Payload: given.Raw, Given: given, Store: at}
	keys := at.RetryKeys(job.Class, p.id(job))
	text, failure, err := at.LastAttempt(ctx, keys)
	if err != nil {
		return State{}, fmt.Errorf("retry: %w", err)
	}
	job.Note([]store.Expectation{{Key: keys.Attempts}}, []store.Value{{Text: text}})
	number := attemptOf(job, keys)
	if number.odd {
		return State{}, fmt.Errorf("retry: Attempt: the key %s is not a number", keys.Attempts)
	}
	return State{Attempt: number.n + 1, Limit: p.attempts(), LastError: errorText(failure)}, nil
}

// errorText returns the text of the error in the record of a failure.
func errorText(failure []byte) string {
	spans, err := rubyjson.Spans(failure, "error")
	if err != nil {
		return ""
	}
	text, _ := rubyjson.Text(spans[0].Of(failure))
	return text
}
