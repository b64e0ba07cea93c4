package activejob

import "github.com/goresque/goresque/resque"

// Inside returns the Rails job inside a job to be enqueued, such as a hook receives.
// ok is false if the job was not made by this package.
func Inside(job resque.Job) (inside Job, ok bool) {
	if job.Class != JobWrapper || len(job.Args) != 1 {
		return Job{}, false
	}
	e, ok := job.Args[0].(envelope)
	return Job(e), ok
}

// Unwrap returns the Rails job inside a job that was read from a queue or from a
// worker. The result has the Class and Args of the Rails job, for [Bind] and [Values],
// and is otherwise equal to job. If job is not a wrapped Rails job, Unwrap returns job
// itself, and ok is false.
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

// Failed returns the Rails job of a failure, whose record has only the class
// [JobWrapper]. [DataOf] returns the id and the other data of the job. ok is false if
// the failed job is not a wrapped Rails job.
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
