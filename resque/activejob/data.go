package activejob

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
)

// Data is the data of a Rails job, apart from its arguments. A field that the job's
// version of Rails does not write has its zero value.
//
// Ruby: ActiveJob::Core#serialize.
type Data struct {
	Class      string // the Rails class
	ID         string // the same for all attempts of the job
	Queue      string // queue_name, the queue to which Rails enqueues a retry
	Priority   *int
	Executions int            // attempts before this one
	Exceptions map[string]int // failed attempts by retry_on, with keys such as [Net::ReadTimeout]
	Locale     string
	Timezone   string // Rails' name, such as Eastern Time (US & Canada)
	EnqueuedAt time.Time
	DueAt      time.Time // scheduled_at, which Rails 7.1 and later write

	envelope object
}

// FromContext returns the data of the job whose handler received ctx. ok is false if
// ctx is not that of a job, or if the job is not a wrapped Rails job.
func FromContext(ctx context.Context) (data Data, ok bool) {
	job, ok := resque.FromContext(ctx)
	if !ok {
		return Data{}, false
	}
	return DataOf(job)
}

// DataOf returns the data of a job. ok is false if job is not a wrapped Rails job.
func DataOf(job *resque.Payload) (data Data, ok bool) {
	o, err := envelopeOf(job.Raw)
	if err != nil {
		return Data{}, false
	}
	data = Data{envelope: o, Exceptions: map[string]int{}}
	data.Class, _ = o.text("job_class")
	data.ID, _ = o.text("job_id")
	data.Queue, _ = o.text("queue_name")
	data.Locale, _ = o.text("locale")
	data.Timezone, _ = o.text("timezone")
	data.Executions = o.count("executions")
	if priority, ok := o.get("priority"); ok {
		_ = json.Unmarshal(priority, &data.Priority) // not a number: no priority
	}
	data.EnqueuedAt = o.time("enqueued_at")
	data.DueAt = o.time("scheduled_at")
	raw, _ := o.get("exception_executions")
	if members, ok := rubyjson.Members(raw); ok {
		counts := object{raw, members}
		for _, m := range members {
			data.Exceptions[m.Name] = counts.count(m.Name)
		}
	}
	return data, true
}

// Member returns any member of the job's data, such as resumptions, with its bytes in
// the payload. ok is false if there is no such member.
func (d Data) Member(name string) (raw json.RawMessage, ok bool) { return d.envelope.get(name) }

// maxCount is larger than any limit of attempts, and small enough to add to.
const maxCount = 1 << 30

// count returns a counter of attempts. A value that Rails cannot have written counts as
// 0 or maxCount, so that a job with such a counter is not retried forever.
func (o object) count(name string) int {
	var n float64
	if raw, ok := o.get(name); ok && json.Unmarshal(raw, &n) != nil {
		return 0
	}
	return int(max(0, min(n, maxCount)))
}

// time returns a member that is a time, or the zero time if it is invalid. Rails 7.1
// and later refuse a job with an invalid time; this package performs it.
func (o object) time(name string) time.Time {
	text, _ := o.text(name)
	t, ok := parseTime(text)
	if !ok {
		return time.Time{}
	}
	return t
}

// wrapper returns the wrapper by which a mux finds the Rails jobs of a class with settings.
func wrapper(settings []resque.Setting) *resque.Wrapper {
	steps := slices.ContainsFunc(settings, func(s resque.Setting) bool { _, ok := s.(Continuable); return ok })
	return &resque.Wrapper{Class: JobWrapper, Unwrap: unwrap, Wrap: func(job resque.Job) resque.Job {
		wrapped := Job{Class: job.Class, Queue: job.Queue, Args: job.Args, Continuable: steps}.Resque()
		job.Class, job.Args = wrapped.Class, wrapped.Args
		return job
	}}
}

// unwrap returns the Rails job inside job.
//
// Ruby: ActiveJob::Base.execute.
func unwrap(job *resque.Payload) (*resque.Payload, error) {
	o, err := argument(job.Args)
	if err != nil {
		return nil, err
	}
	inside := *job
	if inside.Class, _ = o.text("job_class"); inside.Class == "" {
		return nil, &EnvelopeError{"job_class is missing"}
	}
	arguments, ok := o.get("arguments")
	if inside.Args = nil; !ok || string(arguments) == "null" {
		return &inside, nil
	}
	items, ok := rubyjson.Items(arguments)
	if !ok {
		return nil, &EnvelopeError{"arguments of " + inside.Class + " are not an array"}
	}
	inside.Args = make([]json.RawMessage, len(items))
	for i, item := range items {
		inside.Args[i] = item.Value(arguments)
	}
	return &inside, nil
}

// envelopeOf returns the job's data in the payload of a wrapper.
func envelopeOf(payload []byte) (object, error) {
	p, err := rubyjson.ParsePayload(payload)
	if err != nil {
		return object{}, &EnvelopeError{err.Error()}
	}
	if p.Class != JobWrapper {
		return object{}, &EnvelopeError{"its class is " + p.Class}
	}
	return argument(p.Args)
}

func argument(args []json.RawMessage) (object, error) {
	if len(args) != 1 {
		return object{}, &EnvelopeError{"it does not have exactly one argument"}
	}
	members, ok := rubyjson.Members(args[0])
	if !ok {
		return object{}, &EnvelopeError{"its argument is not an object"}
	}
	return object{args[0], members}, nil
}
