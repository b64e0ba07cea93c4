package worker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/goresque/goresque/resque"
)

// A worker and its child speak in frames over two pipes: a byte for the kind,
// the lengths of two parts in four bytes each, and the parts, the first JSON and
// the second raw. Both run the same binary, so there are no versions.
const (
	frameReady    = 'r' // child: waits for a job
	frameAccepted = 'a' // child: has the job, and begins
	frameEnded    = 'e' // child: how the job ended, a report
	frameJob      = 'j' // worker: an assignment, and the payload as it is
	frameTerm     = 't' // worker: end the job, an ask
)

// longestHead is longer than any that is one: an error's text, at most.
const longestHead = 64 << 20

// assignment is a job on its way to a child.
type assignment struct {
	Queue   string
	Worker  string
	Timeout time.Duration
}

// ask asks a child to end its job.
type ask struct {
	// HandsBack says that the job then goes back to its queue: it is no failure,
	// and its hooks are not to be told.
	HandsBack bool
}

// report is how a job ended in a child.
type report struct {
	OK          bool
	DontPerform bool
	Unknown     bool // the child has no handler for its class
	Term        bool // it ended because it was told to
	Dirty       bool // it is a Resque::DirtyExit: what the job had started was cut off
	Exception   string
	Error       string
	Backtrace   []string
}

// write sends a frame in one piece.
func writeFrame(w io.Writer, kind byte, head any, body []byte) error {
	text, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("encoding a frame: %w", err)
	}
	if uint64(len(body)) > math.MaxUint32 {
		return errors.New("a payload of more than 4 GiB")
	}
	frame := make([]byte, 9, 9+len(text)+len(body))
	frame[0] = kind
	binary.BigEndian.PutUint32(frame[1:], uint32(len(text))) //nolint:gosec // a head is small
	binary.BigEndian.PutUint32(frame[5:], uint32(len(body))) //nolint:gosec // looked at above
	frame = append(append(frame, text...), body...)
	_, err = w.Write(frame)
	return err //nolint:wrapcheck // the callers say what they were doing
}

// readFrame reads a frame; head is read into what heads has for its kind.
func readFrame(r *bufio.Reader, heads map[byte]any) (kind byte, body []byte, err error) {
	var lengths [9]byte
	if _, err := io.ReadFull(r, lengths[:]); err != nil {
		return 0, nil, err //nolint:wrapcheck // io.EOF is the usual end
	}
	length := binary.BigEndian.Uint32(lengths[1:])
	if length > longestHead {
		return 0, nil, fmt.Errorf("a frame with a head of %d bytes", length)
	}
	text, err := readPart(r, length)
	if err != nil {
		return 0, nil, err
	}
	if body, err = readPart(r, binary.BigEndian.Uint32(lengths[5:])); err != nil {
		return 0, nil, err
	}
	if head := heads[lengths[0]]; head != nil {
		if err := json.Unmarshal(text, head); err != nil {
			return 0, nil, fmt.Errorf("reading a frame: %w", err)
		}
	}
	return lengths[0], body, nil
}

// readPart reads a part as it comes: a length that is no length, of a child that
// something has written over, must not take its worker's memory.
func readPart(r io.Reader, length uint32) ([]byte, error) {
	var part bytes.Buffer
	if _, err := io.CopyN(&part, r, int64(length)); err != nil {
		return nil, fmt.Errorf("a frame that is cut off: %w", err)
	}
	return part.Bytes(), nil
}

// reportOf describes how a job ended, for the worker that waits for it.
func reportOf(job *resque.Reserved, unknown bool, err error) report {
	if err == nil {
		return report{OK: true}
	}
	f := resque.NewFailure(job, err, time.Time{})
	return report{
		DontPerform: isDontPerform(err), Term: isTerm(err), Dirty: isDirtyExit(err), Unknown: unknown,
		Exception: f.Exception, Error: f.Error, Backtrace: f.Backtrace,
	}
}

// err is the error that a report is of.
func (r report) err(class string) error {
	switch {
	case r.OK:
		return nil
	case r.DontPerform:
		return resque.ErrDontPerform
	case r.Unknown:
		return &resque.UnknownClassError{Class: class}
	case r.Dirty && r.Exception == (*resque.DirtyExitError)(nil).ExceptionName():
		return &resque.DirtyExitError{Message: r.Error}
	default:
		return &childError{r}
	}
}

// childError is the error of a job that a child performed.
type childError struct{ report report }

func (e *childError) Error() string         { return e.report.Error }
func (e *childError) ExceptionName() string { return e.report.Exception }
func (e *childError) Backtrace() []string   { return e.report.Backtrace }

// Is makes a job that obeyed resque.ErrTerm known as such.
func (e *childError) Is(target error) bool { return target == resque.ErrTerm && e.report.Term }
