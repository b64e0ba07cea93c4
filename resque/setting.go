package resque

import (
	"fmt"
	"reflect"
	"time"

	"github.com/goresque/goresque/internal/policy"
)

// Setting is a setting of a job class. Pass settings to [Define1] or [Mux.HandleFunc].
// [Timeout] returns one, the policy of package retry is one, and each hook is one:
// [EnqueueMiddleware], [DequeueMiddleware], [Middleware] and [FailureHook]. Hooks run in
// the order in which they are given. The first is outermost, inside of the hooks of the
// client and the mux. Policies have their own order.
//
//	var Exporter = resque.Define1[int64]("Exporter", "exports",
//		resque.Timeout(10*time.Minute),
//		retry.Policy{Limit: 5, Delay: retry.Exponential},
//		resque.BeforeEnqueue(allowed),
//		resque.OnFailure(notify),
//	)
//
// Define1 and HandleFunc panic if a hook is nil, if a timeout or a policy is given twice,
// or if one has values that cannot work. The message names the class.
type Setting interface {
	// Apply adds the setting to those of a class. Define1 and HandleFunc call it.
	Apply(s *Settings) error
}

// Settings are all settings of a class.
type Settings struct {
	timeout  time.Duration
	perform  []Middleware
	failure  []FailureHook
	hooks    *clientHooks
	policies policy.Set
	wrapper  *Wrapper

	arguments []Argument
	known     bool // the arguments are those of a definition
}

// Argument is an argument of the jobs of a definition.
type Argument struct{ Type reflect.Type }

// Arguments returns the arguments of the class's jobs. known is false if the class is not
// defined by one of Define0 to Define4.
func (s *Settings) Arguments() (args []Argument, known bool) { return s.arguments, s.known }

// AddPolicy adds a policy. Only packages of this module have policies, because they use
// types of internal packages.
func (s *Settings) AddPolicy(p policy.Policy) (err error) {
	s.policies, err = s.policies.With(p)
	return err
}

// settingsOf combines the settings of a class. It panics if one of them is invalid.
func settingsOf(class string, given []Setting, s Settings) Settings {
	for i, setting := range given {
		err := error(errNilSetting)
		if setting != nil {
			err = setting.Apply(&s)
		}
		if err != nil {
			panic(fmt.Sprintf("resque: class %q: setting %d: %v", class, i+1, err))
		}
	}
	if s.policies.Pushes() {
		hooks := clientHooks{enqueue: s.hooks.enqueues(), dequeue: s.hooks.dequeues(), class: class, policies: s.policies, wrapper: s.wrapper}
		s.hooks = &hooks
	}
	return s
}

// route returns the class's route with its settings. If handler is nil, the route's
// Handler is nil even with middleware, so that Mux.Handle panics instead of each job.
func (s Settings) route(class, queue string, handler Handler) Route {
	r := Route{Class: class, Queue: queue, Handler: handler, Timeout: s.timeout, failure: s.failure, hooks: s.hooks, policies: s.policies}
	if handler == nil {
		return r
	}
	return r.Use(s.perform...)
}

type settingError string

func (e settingError) Error() string { return string(e) }

const (
	errNilSetting   settingError = "nil setting"
	errNilHook      settingError = "nil hook"
	errTwoTimeouts  settingError = "Timeout given twice"
	errShortTimeout settingError = "Timeout must be more than 0"
)

// Timeout returns a setting that limits how long a job of the class may take. When the
// limit is reached, the job's context ends with a [*TimeoutError] as its cause. limit
// must be more than 0. It takes precedence over the worker's limit.
func Timeout(limit time.Duration) Setting { return timeout(limit) }

type timeout time.Duration

func (t timeout) Apply(s *Settings) error {
	switch {
	case t <= 0:
		return errShortTimeout
	case s.timeout > 0:
		return errTwoTimeouts
	}
	s.timeout = time.Duration(t)
	return nil
}

// Apply implements [Setting].
func (m Middleware) Apply(s *Settings) error {
	if m == nil {
		return errNilHook
	}
	s.perform = append(s.perform, m)
	return nil
}

// Apply implements [Setting].
func (h FailureHook) Apply(s *Settings) error {
	if h == nil {
		return errNilHook
	}
	s.failure = append(s.failure, h)
	return nil
}

// Apply implements [Setting].
func (m EnqueueMiddleware) Apply(s *Settings) error {
	if m == nil {
		return errNilHook
	}
	if s.hooks == nil {
		s.hooks = &clientHooks{}
	}
	s.hooks.enqueue = append(s.hooks.enqueue, m)
	return nil
}

// Apply implements [Setting].
func (m DequeueMiddleware) Apply(s *Settings) error {
	if m == nil {
		return errNilHook
	}
	if s.hooks == nil {
		s.hooks = &clientHooks{}
	}
	s.hooks.dequeue = append(s.hooks.dequeue, m)
	return nil
}
