package resume

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// Policy is a setting of a class whose jobs use [Each]. The zero value works. Equal jobs of a
// class, with the same bytes, share their position: give them an argument that distinguishes
// them, or a unique.Policy.
type Policy struct {
	// SaveEvery is how often the position is saved. If a worker is killed, the next attempt
	// repeats what was done since the last time. Defaults to 5 s.
	SaveEvery time.Duration

	// MaxRuntime is how long a job runs until it goes to the end of its queue, so that other
	// jobs have their turn. Defaults to no limit.
	MaxRuntime time.Duration
}

var _ resque.Setting = Policy{}

// Apply implements [resque.Setting].
func (p Policy) Apply(s *resque.Settings) error {
	var mistakes []error
	if p.SaveEvery < 0 {
		mistakes = append(mistakes, fmt.Errorf("resume.Policy: SaveEvery is %v; it must not be negative", p.SaveEvery))
	}
	if p.MaxRuntime < 0 {
		mistakes = append(mistakes, fmt.Errorf("resume.Policy: MaxRuntime is %v; it must not be negative", p.MaxRuntime))
	}
	if err := errors.Join(mistakes...); err != nil {
		return err
	}
	if err := s.AddPolicy(end{}); err != nil {
		return err
	}
	return resque.Middleware(p.withDefaults().inContext).Apply(s)
}

func (p Policy) withDefaults() Policy {
	p.SaveEvery = cmp.Or(p.SaveEvery, 5*time.Second)
	return p
}

// identity returns what the attempts of a job have in common: its payload, or the id that
// Rails has given the job, because Rails counts the attempts in the payload.
func identity(payload []byte) []byte {
	p, err := resque.ParsePayload("", payload)
	if err != nil || p.Class != activejob.JobWrapper || len(p.Args) != 1 {
		return payload
	}
	spans, err := rubyjson.Spans(p.Args[0], "job_id")
	if err != nil {
		return payload
	}
	if id, ok := rubyjson.Text(spans[0].Of(p.Args[0])); ok && id != "" {
		return []byte(id)
	}
	return payload
}

type runKey struct{}

// inContext is middleware that gives Each what it needs.
func (p Policy) inContext(next resque.Handler) resque.Handler {
	return resque.HandlerFunc(func(ctx context.Context, job *resque.Payload) error {
		r := &run{policy: p, payload: identity(job.Raw), begun: time.Now(), inline: job.Worker == ""}
		if client, ok := resque.ClientFromContext(ctx); ok && client.Redis() != nil {
			r.store = store.WithoutScripts(client.Redis())
		}
		return next.Perform(context.WithValue(ctx, runKey{}, r), job)
	})
}

// run is an attempt of a job.
type run struct {
	policy  Policy
	payload []byte
	begun   time.Time
	inline  bool
	store   *store.Store // nil without a client

	mu    sync.Mutex
	steps int // calls of Each so far
	read  bool
	from  position
}

// end applies the policy to the end of a job: a job that is done has no position.
type end struct{}

var _ policy.Policy = end{}

func (end) Place() policy.Place                  { return policy.Resume }
func (end) String() string                       { return "resume.Policy" }
func (end) Judge([]byte, error, *policy.Verdict) {}
func (end) Interrupted() bool                    { return true }
func (end) End(job *policy.Job, e *policy.Ending) {
	if e.Kind == policy.Done {
		e.Effects = append(e.Effects, job.Store.ForgetCursor(identity(job.Payload)))
	}
}
