package cli

import (
	"io"
	"os"
	"sync"
)

// output is the standard output. It keeps the first error, so that a command whose output
// was lost, for example because a disk is full, does not seem to have succeeded. It is a
// file, so that a terminal is recognized.
type output struct {
	*os.File

	mu  sync.Mutex
	err error
}

// keepErrors returns w, and a function that returns the first error of writing to it.
func keepErrors(w io.Writer) (io.Writer, func() error) {
	file, ok := w.(*os.File)
	if !ok {
		return w, func() error { return nil }
	}
	o := &output{File: file}
	return o, o.failed
}

func (o *output) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// Write writes p.
func (o *output) Write(p []byte) (n int, err error) {
	n, err = o.File.Write(p)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.err == nil {
			o.err = err
		}
	}
	return n, err //nolint:wrapcheck // the file's
}

// WriteString writes text.
func (o *output) WriteString(text string) (n int, err error) { return o.Write([]byte(text)) }

// ReadFrom writes all of r.
func (o *output) ReadFrom(r io.Reader) (n int64, err error) {
	return io.Copy(struct{ io.Writer }{o}, r) //nolint:wrapcheck // the file's
}

// inherited returns the writer that a child process gets in place of w: the file itself, so
// that the child process writes to it without this one.
func inherited(w io.Writer) io.Writer {
	if o, ok := w.(*output); ok {
		return o.File
	}
	return w
}
