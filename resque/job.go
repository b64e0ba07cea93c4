package resque

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goresque/goresque/internal/rubyjson"
)

// Job is a job to enqueue: a class, its arguments and a queue. The Job methods of
// the definitions, such as [Definition1.Job], return one whose arguments the compiler
// has checked.
type Job struct {
	Queue string
	Class string
	Args  []any

	hooks   *clientHooks // hooks of the definition
	members []member     // see WithMember
	due     *due         // see At and In; nil means at once
}

// To returns a copy of the job with its queue set to queue. Use it with
// [Client.Enqueue] or [Client.EnqueueAll].
//
// Ruby: Resque.enqueue_to.
func (j Job) To(queue string) Job {
	j.Queue = queue
	return j
}

// Errors of a job that cannot be enqueued.
var (
	// ErrNoQueue is wrapped by the error if the job's queue is empty.
	//
	// Ruby: Resque::NoQueueError.
	ErrNoQueue = errors.New("resque: jobs must be placed onto a queue")
	// ErrNoClass is wrapped by the error if the job's class is empty.
	//
	// Ruby: Resque::NoClassError.
	ErrNoClass = errors.New("resque: jobs must be given a class")
)

// Encode returns the payload of j, byte for byte as Ruby without Rails writes it. The
// bytes matter because Ruby's dequeue and locks compare them. For another
// [JSONProfile], use [JSONProfile.AppendPayload].
//
// Ruby: Resque.encode.
func (j Job) Encode() ([]byte, error) { return JSONPlain.AppendPayload(nil, j) }

// argumentError returns an error that names the argument that cannot be encoded. It
// counts arguments from 1, as Bind does.
func argumentError(class string, err error) error {
	var e *rubyjson.EncodeError
	if errors.As(err, &e) {
		var named interface{ ExceptionName() string }
		if errors.As(e.Err, &named) { // a job inside this one: its error already names class and argument
			return fmt.Errorf("resque: %w", e.Err)
		}
		index, inside, _ := strings.Cut(strings.TrimPrefix(e.Path, "["), "]")
		if n, bad := strconv.Atoi(index); bad == nil {
			return fmt.Errorf("resque: %s: argument %d: %w", class, n+1,
				&rubyjson.EncodeError{Path: inside, Reason: e.Reason, Err: e.Err})
		}
	}
	return fmt.Errorf("resque: %s: %w", class, err)
}

// validate returns an error if j has no queue, an invalid queue or no class.
//
// Ruby: Resque.validate.
func (j Job) validate() error {
	switch {
	case j.Queue == "" && j.Class == "":
		return ErrNoQueue
	case j.Queue == "":
		return fmt.Errorf("%w: class %q has no queue", ErrNoQueue, j.Class)
	case j.Class == "":
		return ErrNoClass
	}
	return validQueue(j.Queue)
}

func validQueue(name string) error {
	switch {
	case name == "":
		return ErrNoQueue
	case !utf8.ValidString(name): // a worker's record, which is JSON, could not contain it
		return fmt.Errorf("resque: queue %q is not valid UTF-8", name)
	}
	return nil
}
