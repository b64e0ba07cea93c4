package activejob

import "github.com/goresque/goresque/resque"

// Inside returns the Rails job in a job to be enqueued, as hooks get it. ok is
// false where it was made by nothing in this package.
func Inside(job resque.Job) (inside Job, ok bool) {
	if job.Class != JobWrapper || len(job.Args) != 1 {
		return Job{}, false
	}
	e, ok := job.Args[0].(envelope)
	return Job(e), ok
}

// Unwrap returns the Rails job in one of a queue or a worker's hand: with its own
// Class and Args, which [Bind] and [Values] read, and else as it was. ok is false,
// and the job as it was given, where Rails did not wrap it.
func Unwrap(job *resque.Payload) (inside *resque.Payload, ok bool) {
	if job.Class != JobWrapper {
		return job, false
	}
	inside, err := unwrap(job)
	if err != nil {
		return job, false
	}
	return inside, true
}

// Failed returns the Rails job of a failure, whose record names only the class
// that all of them have in a queue. [DataOf] has the job's id and what else Rails
// knows of it. ok is false where Rails did not wrap it.
func Failed(failure resque.FailedJob) (job *resque.Payload, ok bool) {
	job, err := resque.ParsePayload(failure.Queue, failure.Original())
	if err != nil {
		return nil, false
	}
	job.Worker = failure.Worker
	if job, ok = Unwrap(job); !ok {
		return nil, false
	}
	return job, true
}
