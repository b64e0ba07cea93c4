package resque

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goresque/goresque/internal/rubyjson"
)

// Job is a job to be enqueued: a class, its arguments, and the queue it goes
// to. A definition's Job makes one whose arguments the compiler has checked.
type Job struct {
	Queue string
	Class string
	Args  []any

	hooks   *clientHooks // the definition's
	members []member     // see WithMember
}

// To returns the job with another queue than its own, for Client.Enqueue and
// Client.EnqueueAll alike.
//
// Ruby: Resque.enqueue_to.
func (j Job) To(queue string) Job {
	j.Queue = queue
	return j
}

// Errors of a job that cannot be enqueued as it is.
var (
	// ErrNoQueue is Ruby's Resque::NoQueueError.
	ErrNoQueue = errors.New("resque: jobs must be placed onto a queue")
	// ErrNoClass is Ruby's Resque::NoClassError.
	ErrNoClass = errors.New("resque: jobs must be given a class")
)

// Payload is what stands in the queue for j, byte for byte what plain Ruby
// writes, because Ruby's dequeue and locks compare bytes.
//
// Ruby: Resque.encode.
func (j Job) Encode() ([]byte, error) { return JSONPlain.AppendPayload(nil, j) }

// argumentError names the argument that cannot be written, counted from 1 as
// Bind counts them.
func argumentError(class string, err error) error {
	var e *rubyjson.EncodeError
	if errors.As(err, &e) {
		var named interface{ ExceptionName() string }
		if errors.As(e.Err, &named) { // a job inside this one, which says of which class and where
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

// validate checks what Ruby checks before it pushes.
//
// Ruby: Resque.validate.
func (j Job) validate() error {
	switch {
	case j.Queue == "" && j.Class == "":
		return ErrNoQueue
	case j.Queue == "":
		return fmt.Errorf("%w: none is given for class %q", ErrNoQueue, j.Class)
	case j.Class == "":
		return ErrNoClass
	}
	return validQueue(j.Queue)
}

func validQueue(name string) error {
	switch {
	case name == "":
		return ErrNoQueue
	case !utf8.ValidString(name): // no worker's record could name it
		return fmt.Errorf("resque: queue %q is not UTF-8", name)
	}
	return nil
}
