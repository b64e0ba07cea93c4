package crypt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
)

// Error is the error of a job whose arguments cannot be decrypted. The job fails without
// being performed, and its arguments stay encrypted in the failure record. Requeue it when
// the key is there.
type Error struct {
	Class string
	Key   string // the ID in the payload
	Err   error
}

func (e *Error) Error() string {
	return fmt.Sprintf("crypt: the arguments of %s cannot be decrypted with the key %q: %v", e.Class, e.Key, e.Err)
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// ExceptionName returns the class of this error in Ruby.
func (e *Error) ExceptionName() string { return "OpenSSL::Cipher::CipherError" }

type openError string

func (e openError) Error() string { return string(e) }

const (
	errUnknownKey openError = "this program does not have the key"
	errForged     openError = "the key is another one of the same name, or the arguments or the class were changed"
	errFormat     openError = "the format is not v1"
)

// Decrypt returns the arguments of job as JSON. Arguments that are not encrypted are returned
// as they are. The error is an [*Error].
func (b Box) Decrypt(job *resque.Payload) ([]json.RawMessage, error) {
	c, err := b.open()
	if err != nil {
		return nil, err
	}
	s, encrypted, ok := readSealed(job.Args)
	if !encrypted {
		return job.Args, nil
	}
	return c.decrypt(job.Class, s, ok)
}

// sealed is an encrypted argument.
type sealed struct{ version, key, data string }

// readSealed reads the arguments of a job. encrypted reports whether resque.IsEncrypted would,
// and ok whether their format is v1.
func readSealed(args []json.RawMessage) (s sealed, encrypted, ok bool) {
	if len(args) != 1 {
		return s, false, false
	}
	arg := args[0]
	if s, ok := readOurs(arg); ok {
		return s, true, true
	}
	spans, err := rubyjson.Spans(arg, "_encrypted", "key", "data")
	if err != nil || spans[0].End == 0 {
		return s, false, false
	}
	ok = true
	for i, to := range []*string{&s.version, &s.key, &s.data} {
		text, isText := rubyjson.Text(spans[i].Of(arg))
		*to, ok = text, ok && isText
	}
	return s, true, ok && s.version == "v1"
}

// readOurs reads an argument that is spelled as this package spells it. ok is false if it is
// spelled in another way. arg is valid JSON.
func readOurs(arg []byte) (s sealed, ok bool) {
	rest, ok := bytes.CutPrefix(arg, []byte(`{"_encrypted":"v1","key":"`))
	if !ok || bytes.IndexByte(rest, '\\') >= 0 {
		return s, false
	}
	id, rest, _ := bytes.Cut(rest, []byte(`"`))
	rest, ok = bytes.CutPrefix(rest, []byte(`,"data":"`))
	data, end, _ := bytes.Cut(rest, []byte(`"`))
	return sealed{version: "v1", key: string(id), data: string(data)}, ok && string(end) == "}"
}

// decrypt returns the arguments of a job of class. ok reports whether their format is v1.
func (c *cryptor) decrypt(class string, s sealed, ok bool) ([]json.RawMessage, error) {
	fail := func(why error) ([]json.RawMessage, error) {
		return nil, &Error{Class: class, Key: s.key, Err: why}
	}
	if !ok {
		return fail(errFormat)
	}
	aead := c.keys[s.key]
	if aead == nil {
		return fail(errUnknownKey)
	}
	box, err := base64.StdEncoding.DecodeString(s.data)
	if err != nil || len(box) < aead.NonceSize()+aead.Overhead() {
		return fail(errFormat)
	}
	nonce, text := box[:aead.NonceSize()], box[aead.NonceSize():]
	plain, err := aead.Open(text[:0], nonce, text, []byte(class))
	if err != nil {
		return fail(errForged)
	}
	items, ok := rubyjson.Items(plain)
	if !ok {
		return fail(errFormat)
	}
	args := make([]json.RawMessage, len(items))
	for i, item := range items {
		args[i] = item.Value(plain)
	}
	return args, nil
}

// hiddenError is an error whose text must not be recorded.
type hiddenError struct{ err error }

func (e *hiddenError) Error() string {
	return "the text of the error is hidden, because the job's arguments are encrypted"
}

func (e *hiddenError) Unwrap() error { return e.err }

// Backtrace hides the stack of a panic, which may show values.
func (e *hiddenError) Backtrace() []string { return nil }
