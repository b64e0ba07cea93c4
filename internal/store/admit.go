package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"
)

//go:embed admit.lua
var admitLua string

// Need is something that a job needs before it is performed. Its name is that of a function
// in admit.lua. Methods of Store and the functions of this file build needs.
type Need struct {
	name   string
	absent any // a key that rarely exists: one command looks at those of all needs; nil if there is none
	keys   []any
	args   []any
	known  string // what form returns, if it is not empty
}

// Read reads the string of a key: at most its first 64 KB. It is never refused.
func Read(key string) Need { return Need{name: "READ", keys: []any{key}} }

// Lock takes the lock key with a token, for at most expiry. It is refused if the lock has
// another token. The value is the token of the lock.
func Lock(key, token string, expiry time.Duration) Need {
	return Need{name: "LOCK", keys: []any{key}, args: []any{token, expiry.Milliseconds()}}
}

// Absent is refused if the set of a key has a member.
func Absent(key, member string) Need {
	return Need{name: "ABSENT", keys: []any{key}, args: []any{member}}
}

// form returns the name of the need, the numbers of its keys and arguments, and whether it has
// a key that rarely exists.
func (n Need) form() string {
	if n.known != "" {
		return n.known
	}
	absent := 0
	if n.absent != nil {
		absent = 1
	}
	return fmt.Sprintf("%s %d %d %d", n.name, len(n.keys), len(n.args), absent)
}

// Release releases a lock if it still has the token; see Lock.
func Release(key, token string) Effect { return named("RELEASE", []any{key}, token) }

// Candidate is a reserved job that waits for its admission.
type Candidate struct {
	Worker string
	Guard  []byte
	Needs  []Need
}

// Admission is what a job was given.
type Admission struct {
	Ours bool  // if false, the record is missing or of another reserve, and nothing was taken
	Got  []Got // of each need
	Err  error // Redis refused a need with an error
}

// Got is what a need was given.
type Got struct {
	State GotState
	Value string // empty unless the need has one
}

// GotState is whether a need was met.
type GotState int

// The states of needs.
const (
	NeedSkipped GotState = iota - 1 // a need before it was refused
	NeedRefused
	NeedMet
)

// Admit gives jobs what they need, in one step. To give a job the same needs again changes
// nothing.
func (s *Store) Admit(ctx context.Context, jobs []Candidate) ([]Admission, error) {
	admissions, err := s.admit(ctx, "take", jobs)
	if err != nil {
		return nil, fmt.Errorf("admitting %d jobs: %w", len(jobs), err)
	}
	return admissions, nil
}

// Look returns what the needs of a job would be given now. It takes nothing and does not look
// at the record.
func (s *Store) Look(ctx context.Context, job Candidate) ([]Got, error) {
	admissions, err := s.admit(ctx, "look", []Candidate{job})
	if err == nil {
		err = admissions[0].Err
	}
	if err != nil {
		return nil, fmt.Errorf("looking up what a job has: %w", err)
	}
	return admissions[0].Got, nil
}

func (s *Store) admit(ctx context.Context, mode string, jobs []Candidate) ([]Admission, error) {
	c := call{}
	for _, job := range jobs {
		for _, n := range job.Needs {
			if n.absent != nil {
				c.keys = append(c.keys, n.absent)
			}
		}
	}
	c.args = []any{mode, len(jobs), len(c.keys), len(s.keys.worker("")) + 1}
	for _, job := range jobs {
		c.keys = append(c.keys, s.workerArgs(job.Worker).record)
		c.args = append(c.args, job.Guard, len(job.Needs))
		for _, n := range job.Needs {
			c.keys = append(c.keys, n.keys...)
			c.args = append(append(c.args, n.form()), n.args...)
		}
	}
	var reply []any
	err := s.with(ctx, func(on conn) (err error) {
		reply, err = redis.Values(on.script(s.scripts.admit, c.list()...))
		return err
	})
	if err == nil && len(reply) != len(jobs) {
		err = errors.New("admit.lua returned another number of results")
	}
	if err != nil {
		return nil, err
	}
	admissions := make([]Admission, len(jobs))
	for i, result := range reply {
		admissions[i] = admission(result, len(jobs[i].Needs))
	}
	return admissions, nil
}

func admission(result any, needs int) Admission {
	switch result := result.(type) {
	case int64:
		if result == 0 {
			return Admission{}
		}
		a := Admission{Ours: true, Got: make([]Got, needs)}
		for i := range a.Got {
			a.Got[i].State = NeedMet
		}
		return a
	case []byte:
		return Admission{Ours: true, Err: redis.Error(result)}
	case []any:
		a := Admission{Ours: true, Got: make([]Got, 0, needs)}
		for _, got := range result {
			pair, _ := got.([]any)
			if len(pair) != 2 {
				break
			}
			state, _ := pair[0].(int64)
			value, _ := pair[1].([]byte)
			a.Got = append(a.Got, Got{State: GotState(state), Value: string(value)})
		}
		if len(a.Got) == needs {
			return a
		}
	}
	return Admission{Ours: true, Err: errors.New("admit.lua returned something else than what was given")}
}
