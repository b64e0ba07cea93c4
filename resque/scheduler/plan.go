package scheduler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// plan is what becomes of due jobs.
type plan struct {
	*mover
	now     time.Time
	move    store.Move
	refused []refused
	kept    int64 // jobs that BeforeMove keeps
	last    error // of BeforeMove, for the last of them
}

// refused is a job that fails instead of being moved.
type refused struct {
	class, queue string
	err          error
}

// plan decides what becomes of due jobs.
func (m *mover) plan(ctx context.Context, read []store.DueSecond, now time.Time) *plan {
	p := &plan{mover: m, now: now}
	p.move.Later = now.Add(max(m.cfg.Interval, time.Second)).Unix() + 1
	for _, second := range read {
		if second.Err != nil {
			continue
		}
		if len(p.move.Seconds) == 0 {
			p.move.Lateness = lateness(second.Member, now)
		}
		moved := store.MovedSecond{Member: second.Member, Jobs: make([]store.MovedJob, 0, len(second.Jobs))}
		for _, raw := range second.Jobs {
			job := p.decide(ctx, raw)
			if ctx.Err() != nil {
				break
			}
			moved.Jobs = append(moved.Jobs, job)
		}
		if ctx.Err() != nil && len(moved.Jobs) == 0 && len(second.Jobs) > 0 {
			break // or the second would be removed
		}
		p.move.Seconds = append(p.move.Seconds, moved)
		if ctx.Err() != nil {
			break
		}
	}
	return p
}

// decide decides what becomes of one job.
//
// Ruby: Resque::Scheduler.enqueue_from_config, which decodes and encodes the job.
func (p *plan) decide(ctx context.Context, raw []byte) store.MovedJob {
	job, err := p.read(raw)
	if err == nil && p.cfg.BeforeMove != nil {
		switch kept, hook := p.before(ctx, &job); {
		case hook != nil:
			err = hook
		case kept:
			p.kept++
			return store.MovedJob{Stored: raw, Later: true}
		}
	}
	if err != nil {
		return p.fail(raw, job, err)
	}
	return store.MovedJob{Stored: raw, Queue: job.Queue, Payload: job.Raw}
}

// read reads a delayed job and returns it as it goes to its queue: the same bytes
// without the member queue. If it cannot be moved, job still has the class and the queue
// that it names.
func (p *plan) read(raw []byte) (job resque.Payload, err error) {
	d, err := wire.ParseDelayed(raw)
	job = resque.Payload{Class: d.Class, Queue: d.Queue, Args: d.Args, Raw: d.Job(raw)}
	switch {
	case errors.Is(err, rubyjson.ErrNoClass):
		return job, refusal{"Resque::NoClassError", "the delayed job has no class"}
	case err != nil:
		return job, refusal{"Resque::Helpers::DecodeException", fmt.Sprintf("the delayed job cannot be read: %v", err)}
	}
	useCustomClass(&job)
	if job.Queue == "" && p.cfg.Mux != nil {
		route, _ := p.cfg.Mux.Route(job.Class)
		job.Queue = route.Queue
	}
	if job.Queue == "" {
		return job, refusal{"Resque::NoQueueError", fmt.Sprintf("the delayed job has no queue, and the scheduler does not know the queue of class %q", job.Class)}
	}
	return job, nil
}

// useCustomClass makes the member custom_job_class the class of a job.
//
// Ruby: Resque::Scheduler.enqueue_from_config, if it does not know the custom class.
func useCustomClass(job *resque.Payload) {
	if !bytes.Contains(job.Raw, []byte("custom_job_class")) {
		return
	}
	spans, err := rubyjson.Spans(job.Raw, "class", "custom_job_class")
	if err != nil {
		return
	}
	class, custom := spans[0], spans[1].Of(job.Raw)
	if name, _ := rubyjson.Text(custom); name != "" && name != "Resque::Job" {
		job.Class = name
		job.Raw = slices.Concat(job.Raw[:class.Start], custom, job.Raw[class.End:])
	}
}

// before calls BeforeMove. A panic is the error of the job.
func (p *plan) before(ctx context.Context, job *resque.Payload) (kept bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			kept, err = false, &resque.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if err := p.cfg.BeforeMove(ctx, job); err != nil {
		p.last = err
		return true, nil
	}
	return false, nil
}

// fail returns a job that fails with err.
func (p *plan) fail(raw []byte, job resque.Payload, err error) store.MovedJob {
	p.refused = append(p.refused, refused{job.Class, job.Queue, err})
	failure := resque.NewFailure(&resque.Payload{Queue: job.Queue, Worker: p.id, Raw: raw}, err, p.now)
	return store.MovedJob{Stored: raw, Failure: failure.AppendJSON(nil)}
}

// refuse makes the jobs of a queue fail.
func (p *plan) refuse(not *store.NotListError) {
	for _, second := range p.move.Seconds {
		for i, job := range second.Jobs {
			if job.Queue == not.Queue && job.Failure == nil && !job.Later {
				read, _ := p.read(job.Stored)
				second.Jobs[i] = p.fail(job.Stored, read, refusal{"Redis::CommandError", not.Error()})
			}
		}
	}
}

// log logs what was moved.
func (p *plan) log() {
	for _, r := range p.refused {
		p.cfg.Logger.Error("a delayed job cannot be enqueued, it was recorded as failed", "class", r.class, "queue", r.queue, "err", r.err)
	}
	if p.kept > 0 {
		p.cfg.Logger.Warn("delayed jobs are delayed again: BeforeMove returned an error", "jobs", p.kept, "err", p.last)
	}
	jobs := 0
	for _, second := range p.move.Seconds {
		jobs += len(second.Jobs)
	}
	p.cfg.Logger.Debug("moved delayed jobs", "jobs", jobs, "late", p.move.Lateness)
}

// refusal is the error of a job that cannot be moved.
type refusal struct{ exception, text string }

func (r refusal) Error() string { return r.text }

// ExceptionName returns the class of this error in Ruby.
func (r refusal) ExceptionName() string { return r.exception }
