package resque

import (
	"fmt"
	"time"
)

// Setting is what belongs to a job class: an argument of its definition, or of
// [Mux.HandleFunc]. Settings are [Timeout] and hooks: each [EnqueueMiddleware],
// [DequeueMiddleware], [Middleware] and [FailureHook] is one. Hooks run in the
// order in which they are given, the first outermost, inside of the client's and
// the mux's own.
//
//	var Exporter = resque.Define1[int64]("Exporter", "exports",
//		resque.Timeout(10*time.Minute),
//		resque.BeforeEnqueue(allowed),
//		resque.OnFailure(tell),
//	)
//
// A definition with a setting that cannot work panics, and names its class: with
// two timeouts or a negative one, or with a hook that is nil.
type Setting interface {
	apply(s *settings) error
}

// settings are what the settings of a class say together.
type settings struct {
	timeout time.Duration
	perform []Middleware
	failure []FailureHook
	hooks   *clientHooks
}

// settingsOf panics if one of the settings cannot work: a mistake of the program.
func settingsOf(class string, given []Setting) settings {
	var s settings
	for i, setting := range given {
		err := error(errNilSetting)
		if setting != nil {
			err = setting.apply(&s)
		}
		if err != nil {
			panic(fmt.Sprintf("resque: class %q: setting %d: %v", class, i+1, err))
		}
	}
	return s
}

// route returns the class's route with its settings. Without a handler it has
// none, so that Mux.Handle panics at once and not each job later.
func (s settings) route(class, queue string, handler Handler) Route {
	r := Route{Class: class, Queue: queue, Handler: handler, Timeout: s.timeout, failure: s.failure, hooks: s.hooks}
	if handler == nil {
		return r
	}
	return r.Use(s.perform...)
}

type settingError string

func (e settingError) Error() string { return string(e) }

const (
	errNilSetting   settingError = "it is nil"
	errNilHook      settingError = "the hook is nil"
	errTwoTimeouts  settingError = "a Timeout is given twice"
	errShortTimeout settingError = "a Timeout must be more than 0"
)

// Timeout limits how long a job of the class may take: then its context ends, with
// a [TimeoutError] as the cause. It wins over the worker's own limit.
func Timeout(limit time.Duration) Setting { return timeout(limit) }

type timeout time.Duration

func (t timeout) apply(s *settings) error {
	switch {
	case t <= 0:
		return errShortTimeout
	case s.timeout > 0:
		return errTwoTimeouts
	}
	s.timeout = time.Duration(t)
	return nil
}

func (m Middleware) apply(s *settings) error {
	if m == nil {
		return errNilHook
	}
	s.perform = append(s.perform, m)
	return nil
}

func (h FailureHook) apply(s *settings) error {
	if h == nil {
		return errNilHook
	}
	s.failure = append(s.failure, h)
	return nil
}

func (m EnqueueMiddleware) apply(s *settings) error {
	if m == nil {
		return errNilHook
	}
	if s.hooks == nil {
		s.hooks = &clientHooks{}
	}
	s.hooks.enqueue = append(s.hooks.enqueue, m)
	return nil
}

func (m DequeueMiddleware) apply(s *settings) error {
	if m == nil {
		return errNilHook
	}
	if s.hooks == nil {
		s.hooks = &clientHooks{}
	}
	s.hooks.dequeue = append(s.hooks.dequeue, m)
	return nil
}
