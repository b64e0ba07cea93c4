package resque

import (
	"bytes"
	"context"
	"errors"

	"github.com/goresque/goresque/internal/rubyjson"
)

// Dequeue removes all copies of job from its queue: the jobs that have the same class
// and the same arguments, in whatever way their JSON is spelled. Other members, of job
// and of the payloads, do not matter. It returns the number of removed jobs; ok is false
// if a hook vetoed it.
//
// Copies with the same bytes are removed in one step. To find the others, Dequeue reads
// the whole queue, up to 5,000 jobs or 2 MB in a round trip, and removes them
// as [Queue.RemoveMatching] does. For a million jobs of the same class that takes about
// 4 s. A copy that a worker takes in the meantime is performed and not counted.
//
// Ruby: Resque.dequeue and Resque::Job.destroy with arguments, which remove only copies
// with the same bytes.
func (c *Client) Dequeue(ctx context.Context, job Job) (removed int64, ok bool, err error) {
	return c.dequeueBy(ctx, job, func(ctx context.Context, job Job) (int64, bool, error) {
		if err := job.validate(); err != nil {
			return 0, false, err
		}
		payload, err := c.appendPayload(nil, job)
		if err != nil {
			return 0, false, err
		}
		same, err := newSameJob(payload)
		if err != nil {
			return 0, false, err
		}
		exact, err := c.store.Remove(ctx, job.Queue, payload)
		if err != nil {
			return 0, false, err
		}
		q := c.queue(job)
		p, err := q.RemoveMatching(ctx, RemoveOptions{}, same.match, nil)
		if exact > 0 {
			err = errors.Join(err, c.freeOf(ctx, job, payload), forgetAttempts(ctx, c.store, q.locks.jobs, parsedJobs(job.Queue, payload)...))
		}
		return exact + p.Done, err == nil, err
	})
}

// DequeueClass removes all jobs of job's class from job's queue, with any arguments. It
// ignores the arguments of job; AnyJob of a definition returns a job without arguments.
// It returns the number of removed jobs, also with an error; ok is false if a hook
// vetoed it.
//
// DequeueClass reads the whole queue and removes jobs as [Queue.RemoveMatching] does.
//
// Ruby: Resque.dequeue and Resque::Job.destroy without arguments.
func (c *Client) DequeueClass(ctx context.Context, job Job) (removed int64, ok bool, err error) {
	job.Args = nil
	return c.dequeueBy(ctx, job, func(ctx context.Context, job Job) (int64, bool, error) {
		if err := job.validate(); err != nil {
			return 0, false, err
		}
		p, err := c.queue(job).RemoveMatching(ctx, RemoveOptions{}, ofClass(job.Class).match, nil)
		return p.Done, err == nil, err
	})
}

// queue returns the queue of a job whose copies are removed. It knows the policies of the
// job's class.
func (c *Client) queue(job Job) *Queue {
	q := c.Queue(job.Queue)
	if q.locks.jobs == nil && job.hooks.pushing() != nil {
		q.locks.jobs = onlyClass{job.hooks.class, job.hooks}
	}
	return q
}

// onlyClass has the policies of one class.
type onlyClass struct {
	class string
	hooks *clientHooks
}

// Perform implements [Handler].
func (onlyClass) Perform(context.Context, *Payload) error { return errors.ErrUnsupported }

// Route returns the route of a class, as a [Mux] does.
func (o onlyClass) Route(class string) (Route, bool) {
	return Route{Class: o.class, policies: o.hooks.policies}, class == o.class
}

// Unwrap returns the job inside job, as a [Mux] does.
func (o onlyClass) Unwrap(job *Payload) (*Payload, error) {
	if w := o.hooks.wrapper; w != nil && job.Class == w.Class {
		return w.Unwrap(job)
	}
	return job, nil
}

// ofClass matches the jobs of a class.
type ofClass string

func (c ofClass) match(job QueuedJob) bool {
	_, ok := c.parse(job.Raw)
	return ok
}

// parse returns the job in a payload if it is of the class. It does not parse a payload
// that can only be of another class.
func (c ofClass) parse(raw []byte) (rubyjson.Payload, bool) {
	if !bytes.Contains(raw, []byte(c)) && bytes.IndexByte(raw, '\\') < 0 {
		return rubyjson.Payload{}, false
	}
	p, err := rubyjson.ParsePayload(raw)
	return p, err == nil && p.Class == string(c)
}

// sameJob matches the jobs with a class and arguments.
type sameJob struct {
	class ofClass
	args  [][]byte // respelled
}

func newSameJob(payload []byte) (sameJob, error) {
	p, err := rubyjson.ParsePayload(payload)
	if err != nil {
		return sameJob{}, err
	}
	s := sameJob{class: ofClass(p.Class)}
	for _, arg := range p.Args {
		spelled, err := rubyjson.Respell(nil, arg)
		if err != nil {
			return sameJob{}, err
		}
		s.args = append(s.args, spelled)
	}
	return s, nil
}

func (s sameJob) match(job QueuedJob) bool {
	p, ok := s.class.parse(job.Raw)
	if !ok || len(p.Args) != len(s.args) {
		return false
	}
	for i, arg := range p.Args {
		if bytes.Equal(arg, s.args[i]) {
			continue
		}
		spelled, err := rubyjson.Respell(nil, arg)
		if err != nil || !bytes.Equal(spelled, s.args[i]) {
			return false
		}
	}
	return true
}
