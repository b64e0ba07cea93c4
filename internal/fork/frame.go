package fork

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
)

// Parent and child send frames over two pipes. A frame is a byte for its kind, the
// lengths of its head and its body in four bytes each, the head, and the body as raw
// bytes. Both processes run the same binary, so frames have no version. Heads are JSON,
// except those of every job: a Job, and the Report of a job that succeeded. A child usually
// lives for one job, and the first use of encoding/json for a type takes long.
const (
	frameReady    = 'r' // child: ready for a job
	frameAccepted = 'a' // child: begins the job
	frameEnded    = 'e' // child: the job has ended; the head is a Report
	frameJob      = 'j' // parent: a job; the head is a Job and the body its payload
	frameStop     = 't' // parent: stop the job; the head is a Stop
)

// maxHead is longer than any valid head. The longest contain the text of an error.
const maxHead = 64 << 20

// Job is a job for a child.
type Job struct {
	Queue   string
	Worker  string
	Timeout time.Duration
	Payload []byte `json:"-"` // the body of the frame
}

// Stop tells a child to stop its job.
type Stop struct {
	// Returns means that the job goes back to its queue. Then it has not failed, and
	// its failure hooks must not be called.
	Returns bool

	// Cause says why, for the context of the job: see Serve.
	Cause string `json:",omitempty"`
}

// Report is how a job ended in a child.
type Report struct {
	OK          bool
	DontPerform bool
	Unknown     bool // the child has no handler for the job's class
	Term        bool // the job ended because the parent stopped it
	Dirty       bool // the job returned an error that is a Resque::DirtyExit
	Exception   string
	Error       string
	Backtrace   []string

	// What the error means for further attempts: see policy.Verdict.
	Final   bool
	Snooze  bool
	Return  bool
	Handled bool
	Killed  bool
	Rule    int
	Pause   bool
	Wait    *time.Duration

	Progress    json.RawMessage
	Interrupted bool
}

// frame is a frame from a child. Its Report is set for frameEnded.
type frame struct {
	kind byte
	Report
}

// writeFrame writes a frame with one Write.
func writeFrame(w io.Writer, kind byte, head any, body []byte) error {
	text, err := encodeHead(head)
	if err != nil {
		return fmt.Errorf("encoding a frame: %w", err)
	}
	if uint64(len(body)) > math.MaxUint32 {
		return errors.New("the payload is larger than 4 GiB")
	}
	frame := make([]byte, 9, 9+len(text)+len(body))
	frame[0] = kind
	binary.BigEndian.PutUint32(frame[1:], uint32(len(text))) //nolint:gosec // a head is small
	binary.BigEndian.PutUint32(frame[5:], uint32(len(body))) //nolint:gosec // checked above
	frame = append(append(frame, text...), body...)
	_, err = w.Write(frame)
	return err //nolint:wrapcheck // the callers add what failed
}

// readFrame reads a frame. It decodes the head into the value that heads has for the
// kind of the frame.
func readFrame(r *bufio.Reader, heads map[byte]any) (kind byte, body []byte, err error) {
	var lengths [9]byte
	if _, err := io.ReadFull(r, lengths[:]); err != nil {
		return 0, nil, err //nolint:wrapcheck // io.EOF is the usual end
	}
	length := binary.BigEndian.Uint32(lengths[1:])
	if length > maxHead {
		return 0, nil, fmt.Errorf("a frame has a head of %d bytes", length)
	}
	text, err := readPart(r, length)
	if err != nil {
		return 0, nil, err
	}
	if body, err = readPart(r, binary.BigEndian.Uint32(lengths[5:])); err != nil {
		return 0, nil, err
	}
	if head := heads[lengths[0]]; head != nil {
		if err := decodeHead(text, head); err != nil {
			return 0, nil, fmt.Errorf("reading a frame: %w", err)
		}
	}
	return lengths[0], body, nil
}

// succeeded is the head of the Report of a job that succeeded.
const succeeded = "ok"

func encodeHead(head any) ([]byte, error) {
	switch head := head.(type) {
	case nil:
		return []byte{}, nil
	case Job:
		return head.appendHead(nil), nil
	case Report:
		if head.OK && head.Exception == "" && head.Error == "" {
			return []byte(succeeded), nil
		}
	}
	return json.Marshal(head) //nolint:wrapcheck // writeFrame adds what failed
}

func decodeHead(text []byte, head any) error {
	switch head := head.(type) {
	case *Job:
		return head.readHead(text)
	case *Report:
		if string(text) == succeeded {
			*head = Report{OK: true}
			return nil
		}
	}
	return json.Unmarshal(text, head) //nolint:wrapcheck // readFrame adds what failed
}

// appendHead appends the time limit, the length of the queue's name, and the two names.
func (j *Job) appendHead(dst []byte) []byte {
	dst = binary.AppendVarint(dst, int64(j.Timeout))
	dst = binary.AppendUvarint(dst, uint64(len(j.Queue)))
	return append(append(dst, j.Queue...), j.Worker...)
}

func (j *Job) readHead(text []byte) error {
	timeout, n := binary.Varint(text)
	if n <= 0 {
		return errors.New("a job without its time limit")
	}
	text = text[n:]
	length, n := binary.Uvarint(text)
	if n <= 0 || length > uint64(len(text)-n) {
		return errors.New("a job without its queue")
	}
	text = text[n:]
	j.Timeout, j.Queue, j.Worker = time.Duration(timeout), string(text[:length]), string(text[length:])
	return nil
}

// readPart reads length bytes. It does not allocate them in advance, because length may
// be any number if a job has written other bytes to the pipe.
func readPart(r io.Reader, length uint32) ([]byte, error) {
	var part bytes.Buffer
	if _, err := io.CopyN(&part, r, int64(length)); err != nil {
		return nil, fmt.Errorf("a frame is incomplete: %w", err)
	}
	return part.Bytes(), nil
}

// readFromChild reads the next frame of a child.
func readFromChild(r *bufio.Reader) (f frame, err error) {
	f.kind, _, err = readFrame(r, map[byte]any{frameEnded: &f.Report})
	if err == nil && f.kind != frameReady && f.kind != frameAccepted && f.kind != frameEnded {
		err = fmt.Errorf("a frame has the unknown kind %q", f.kind)
	}
	return f, err
}
