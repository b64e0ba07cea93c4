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

// A parent and its child speak in frames over two pipes: a byte for the kind,
// the lengths of two parts in four bytes each, and the parts, the first JSON and
// the second raw. Both run the same binary, so there are no versions.
const (
	frameReady    = 'r' // child: waits for a job
	frameAccepted = 'a' // child: has the job, and begins
	frameEnded    = 'e' // child: how the job ended, a Report
	frameJob      = 'j' // parent: a Job, and its payload as it is
	frameStop     = 't' // parent: end the job, a Stop
)

// maxHead is longer than any real head, the longest of which is an error's text.
const maxHead = 64 << 20

// Job is what a child is handed.
type Job struct {
	Queue   string
	Worker  string
	Timeout time.Duration
	Payload []byte `json:"-"` // sent raw
}

// Stop tells a child to end its job.
type Stop struct {
	// Returns reports that the job then goes back to its queue: it has not failed,
	// and its failure hooks must not be called.
	Returns bool
}

// Report is how a job ended in a child.
type Report struct {
	OK          bool
	DontPerform bool
	Unknown     bool // the child has no handler for the job's class
	Term        bool // the job ended because it was told to
	Dirty       bool // the job's error is a Resque::DirtyExit of its own
	Exception   string
	Error       string
	Backtrace   []string
}

// frame is what a child sends.
type frame struct {
	kind byte
	Report
}

// writeFrame sends a frame in one piece.
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
	binary.BigEndian.PutUint32(frame[5:], uint32(len(body))) //nolint:gosec // checked above
	frame = append(append(frame, text...), body...)
	_, err = w.Write(frame)
	return err //nolint:wrapcheck // the callers say what they were doing
}

// readFrame reads a frame. The head is decoded into the value that heads has for
// its kind.
func readFrame(r *bufio.Reader, heads map[byte]any) (kind byte, body []byte, err error) {
	var lengths [9]byte
	if _, err := io.ReadFull(r, lengths[:]); err != nil {
		return 0, nil, err //nolint:wrapcheck // io.EOF is the usual end
	}
	length := binary.BigEndian.Uint32(lengths[1:])
	if length > maxHead {
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

// readPart reads a part as it arrives, without allocating its length first: when
// a job has written garbage into the pipe, the length may be anything.
func readPart(r io.Reader, length uint32) ([]byte, error) {
	var part bytes.Buffer
	if _, err := io.CopyN(&part, r, int64(length)); err != nil {
		return nil, fmt.Errorf("a frame that is cut off: %w", err)
	}
	return part.Bytes(), nil
}

// readFromChild reads the next frame of a child.
func readFromChild(r *bufio.Reader) (f frame, err error) {
	f.kind, _, err = readFrame(r, map[byte]any{frameEnded: &f.Report})
	if err == nil && f.kind != frameReady && f.kind != frameAccepted && f.kind != frameEnded {
		err = fmt.Errorf("a frame of kind %q", f.kind)
	}
	return f, err
}
