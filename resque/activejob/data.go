package activejob

import (
	"context"
	"encoding/json"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
)

// Data is what Rails keeps with a job beside its arguments. Members that a
// version of Rails does not write have their zero values.
//
// Ruby: ActiveJob::Core#serialize.
type Data struct {
	Class      string // the Rails job's
	ID         string // the same for all the job's attempts
	Queue      string // queue_name, where Rails would enqueue it again
	Priority   *int
	Executions int            // attempts before this one
	Exceptions map[string]int // how often each retry_on of Rails has caught one: [Net::ReadTimeout]
	Locale     string
	Timezone   string // Rails' name, such as Eastern Time (US & Canada)
	EnqueuedAt time.Time
	DueAt      time.Time // scheduled_at, from Rails 7.1 on

	envelope object
}

// FromContext returns the data of the job that ctx is the context of. ok is
// false outside a job, and in one that Rails did not wrap.
func FromContext(ctx context.Context) (data Data, ok bool) {
	job, ok := resque.FromContext(ctx)
	if !ok {
		return Data{}, false
	}
	return DataOf(job)
}

// DataOf returns a job's data. ok is false for a job that Rails did not wrap.
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
		_ = json.Unmarshal(priority, &data.Priority) // what is no number is none
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

// Member is any other member of the job's data, such as continuation, as it
// stands in the payload.
func (d Data) Member(name string) (raw json.RawMessage, ok bool) { return d.envelope.get(name) }

// maxCount is more than any limit of attempts, and leaves room to count on.
const maxCount = 1 << 30

// count reads a counter of attempts. One that Rails cannot have written is 0 or
// maxCount, so that counting on from it always comes to an end.
func (o object) count(name string) int {
	var n float64
	if raw, ok := o.get(name); ok && json.Unmarshal(raw, &n) != nil {
		return 0
	}
	return int(max(0, min(n, maxCount)))
}

// time is lenient: a job is not lost over when it was enqueued, though Rails 7.1
// and later refuse one whose time is none.
func (o object) time(name string) time.Time {
	text, _ := o.text(name)
	t, ok := parseTime(text)
	if !ok {
		return time.Time{}
	}
	return t
}

// wrapper is what mux looks into to find Rails' jobs.
func wrapper() *resque.Wrapper {
	return &resque.Wrapper{Class: JobWrapper, Unwrap: unwrap, Wrap: wrap}
}

func wrap(job resque.Job) resque.Job {
	wrapped := Job{Class: job.Class, Queue: job.Queue, Args: job.Args}.Resque()
	job.Class, job.Args = wrapped.Class, wrapped.Args
	return job
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
		return nil, &EnvelopeError{"arguments of " + inside.Class + " are no array"}
	}
	inside.Args = make([]json.RawMessage, len(items))
	for i, item := range items {
		inside.Args[i] = item.Value(arguments)
	}
	return &inside, nil
}

// envelopeOf finds the data in a wrapper's payload.
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
		return object{}, &EnvelopeError{"it has not one argument"}
	}
	members, ok := rubyjson.Members(args[0])
	if !ok {
		return object{}, &EnvelopeError{"its argument is no object"}
	}
	return object{args[0], members}, nil
}
