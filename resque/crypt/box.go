package crypt

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
)

// Key is a key with its name, which is written into payloads. Secret has 32 random bytes.
type Key struct {
	ID     string
	Secret []byte
}

// Keys are the keys of a [Box]. The first one encrypts, and all decrypt. To change the key,
// first add the new one at the end in all programs that decrypt, then make it the first in
// those that enqueue. Remove the old one when no payload has it any more: also look at the
// failures and the delayed jobs.
type Keys []Key

// Box encrypts and decrypts the arguments of jobs. As a [resque.Setting] of a definition it
// applies to one class:
//
//	var Mailer = resque.Define1[string]("Mailer", "mail", crypt.Box{Keys: keys})
//
// To encrypt the jobs of all classes, use its middleware: EnqueueMiddleware as the last of
// [resque.Config].EnqueueHooks, DequeueMiddleware in DequeueHooks, and Middleware as the first
// of [resque.Mux.Use]. A Box is not changed by its methods.
type Box struct {
	Keys Keys

	// HideErrors replaces the text and the backtrace of a job's error, which may have parts
	// of the arguments, in the failure record and the log. The name of its class stays.
	// errors.Is and errors.As still find the error.
	HideErrors bool
}

var _ resque.Setting = Box{}

// Check returns an error that names all mistakes in the box.
func (b Box) Check() error {
	if len(b.Keys) == 0 {
		return errors.New("crypt: a Box has no keys")
	}
	var mistakes []error
	for i, k := range b.Keys {
		switch {
		case k.ID == "":
			mistakes = append(mistakes, fmt.Errorf("crypt: key %d has no ID", i+1))
		case slices.ContainsFunc(b.Keys[:i], func(o Key) bool { return o.ID == k.ID }):
			mistakes = append(mistakes, fmt.Errorf("crypt: two keys have the ID %q", k.ID))
		}
		if len(k.Secret) != 32 {
			mistakes = append(mistakes, fmt.Errorf("crypt: the secret of key %q has %d bytes; AES-256 needs 32", k.ID, len(k.Secret)))
		}
		if _, err := rubyjson.AppendString(nil, k.ID); err != nil {
			mistakes = append(mistakes, fmt.Errorf("crypt: the ID of key %d: %w", i+1, err))
		}
	}
	return errors.Join(mistakes...)
}

// Apply implements [resque.Setting].
func (b Box) Apply(s *resque.Settings) error {
	c, err := b.open()
	if err != nil {
		return err
	}
	return errors.Join(c.enqueue().Apply(s), resque.DequeueMiddleware(refuseDequeue).Apply(s), c.perform().Apply(s))
}

// EnqueueMiddleware returns middleware that encrypts the arguments of jobs that are enqueued.
// It must be inside of other middleware that reads arguments. It panics if the box is invalid:
// see Check.
func (b Box) EnqueueMiddleware() resque.EnqueueMiddleware { return b.mustOpen().enqueue() }

// Middleware returns middleware that decrypts the arguments of jobs that are performed. It must
// be outside of other middleware that reads arguments. Jobs whose arguments are not encrypted
// are performed as they are. It panics if the box is invalid: see Check.
func (b Box) Middleware() resque.Middleware { return b.mustOpen().perform() }

// DequeueMiddleware returns middleware that refuses to dequeue jobs by their arguments, which
// would find none: equal arguments are encrypted differently each time.
func (b Box) DequeueMiddleware() resque.DequeueMiddleware { return refuseDequeue }

func (b Box) mustOpen() *cryptor {
	c, err := b.open()
	if err != nil {
		panic(err)
	}
	return c
}

func (b Box) open() (*cryptor, error) {
	if err := b.Check(); err != nil {
		return nil, err
	}
	c := &cryptor{keys: map[string]cipher.AEAD{}, first: b.Keys[0].ID, hide: b.HideErrors}
	for _, k := range b.Keys {
		block, err := aes.NewCipher(k.Secret)
		if err != nil {
			return nil, fmt.Errorf("crypt: key %q: %w", k.ID, err)
		}
		if c.keys[k.ID], err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("crypt: key %q: %w", k.ID, err)
		}
	}
	prefix, err := rubyjson.AppendString([]byte(`{"_encrypted":"v1","key":`), c.first)
	if err != nil {
		return nil, fmt.Errorf("crypt: key %q: %w", c.first, err)
	}
	c.prefix = append(prefix, `,"data":"`...)
	return c, nil
}

// cryptor has the ciphers of a box.
type cryptor struct {
	keys   map[string]cipher.AEAD
	first  string
	prefix []byte // of an encrypted argument
	hide   bool
}

// ErrRails is wrapped by the error of enqueueing a job of Rails, whose arguments cannot be
// encrypted because Rails reads them before any hook.
var ErrRails = errors.New("crypt: jobs of Rails cannot be encrypted")

// errDequeue is the error of a dequeue by arguments.
var errDequeue = errors.New("crypt: jobs with encrypted arguments cannot be found by their arguments, because equal arguments are encrypted differently each time; use DequeueClass, or find the job by an additional member: see Job.WithMember")

func refuseDequeue(next resque.DequeueFunc) resque.DequeueFunc {
	return func(ctx context.Context, job resque.Job) (int64, bool, error) {
		if len(job.Args) > 0 {
			return 0, false, errDequeue
		}
		return next(ctx, job)
	}
}

func (c *cryptor) enqueue() resque.EnqueueMiddleware {
	return func(next resque.EnqueueFunc) resque.EnqueueFunc {
		return func(ctx context.Context, job resque.Job) (resque.Receipt, error) {
			if job.InnerClass() != job.Class {
				return resque.Receipt{}, fmt.Errorf("%w: %s", ErrRails, job.InnerClass())
			}
			if len(job.Args) == 0 {
				return next(ctx, job)
			}
			sealed, err := c.seal(job)
			if err != nil {
				return resque.Receipt{}, err
			}
			job.Args = []any{sealed}
			return next(ctx, job)
		}
	}
}

// seal returns the argument that has the encrypted arguments of job.
func (c *cryptor) seal(job resque.Job) (sealedArg, error) {
	aead := c.keys[c.first]
	nonce := make([]byte, aead.NonceSize(), 2048)
	_, _ = rand.Read(nonce) // never fails
	buf, err := rubyjson.AppendArgs(nonce, job.Args)
	if err != nil {
		if _, named := job.Encode(); named != nil { // names class and argument
			err = named
		}
		return nil, fmt.Errorf("crypt: %w", err)
	}
	buf = slices.Grow(buf, aead.Overhead())
	text := buf[len(nonce):]
	box := aead.Seal(text[:0], buf[:len(nonce)], text, []byte(job.Class)) // in place
	buf = buf[:len(nonce)+len(box)]
	out := make([]byte, 0, len(c.prefix)+base64.StdEncoding.EncodedLen(len(buf))+len(`"}`))
	out = base64.StdEncoding.AppendEncode(append(out, c.prefix...), buf)
	return append(out, `"}`...), nil
}

// sealedArg is an encrypted argument: JSON that need not be checked.
type sealedArg []byte

// AppendRuby implements rubyjson.Appender.
func (s sealedArg) AppendRuby(dst []byte, _ rubyjson.Place) ([]byte, error) {
	return append(dst, s...), nil
}

// MarshalJSON implements json.Marshaler, for hooks that print jobs.
func (s sealedArg) MarshalJSON() ([]byte, error) { return s, nil }

func (c *cryptor) perform() resque.Middleware {
	return func(next resque.Handler) resque.Handler {
		if c.hide {
			next = resque.RecoverPerform(next)
		}
		return resque.HandlerFunc(func(ctx context.Context, job *resque.Payload) error {
			s, encrypted, ok := readSealed(job.Args)
			if !encrypted {
				return next.Perform(ctx, job)
			}
			args, err := c.decrypt(job.Class, s, ok)
			if err != nil {
				return err
			}
			opened := *job // Raw stays encrypted
			opened.Args = args
			err = next.Perform(resque.WithPayload(ctx, &opened), &opened)
			if err != nil && c.hide {
				return &hiddenError{err}
			}
			return err
		})
	}
}
