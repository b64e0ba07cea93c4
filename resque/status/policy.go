package status

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// policyOf keeps the statuses of the jobs of one class.
type policyOf struct {
	class  string
	expiry time.Duration // 0 means never

	stores sync.Map // *store.Store by *resque.Client
}

// storeOf returns a store of a client. To make one costs more than a job.
func (p *policyOf) storeOf(c *resque.Client) *store.Store {
	if s, ok := p.stores.Load(c); ok {
		return s.(*store.Store) //nolint:forcetypeassert // nothing else is in there
	}
	s, _ := p.stores.LoadOrStore(c, store.New(c.Redis()))
	return s.(*store.Store) //nolint:forcetypeassert // nothing else is in there
}

var (
	_ resque.Setting  = (*policyOf)(nil)
	_ policy.Pusher   = (*policyOf)(nil)
	_ policy.Admitter = (*policyOf)(nil)
	_ policy.Killable = (*policyOf)(nil)
	_ policy.Renewer  = (*policyOf)(nil)
)

// Apply implements [resque.Setting].
func (p *policyOf) Apply(s *resque.Settings) error { return s.AddPolicy(p) }

func (*policyOf) String() string { return "status.Define" }

// Place implements policy.Policy.
func (*policyOf) Place() policy.Place { return policy.Status }

// Interrupted implements policy.Policy.
func (*policyOf) Interrupted() bool { return false }

// Judge implements policy.Policy.
//
// Ruby: Resque::Plugins::Status#safe_perform!, which rescues Killed.
func (*policyOf) Judge(_ []byte, err error, v *policy.Verdict) {
	if errors.Is(err, resque.ErrKilled) {
		v.Killed, v.Handled = true, true
	}
}

// Push implements policy.Pusher.
func (p *policyOf) Push(job *policy.Job) ([]store.Effect, error) {
	now := time.Now()
	st := p.status(job)
	if options := optionsOf(job.Args); options != nil {
		st.New = append(append(st.New[:len(st.New)-1], `,"options":`...), options[0]...)
		st.New = append(st.New, '}')
	}
	return job.Store.CreateStatus(st, now), nil
}

// Renewed implements policy.Renewer. Arguments that a Ruby program has stored are only the
// options.
//
// Ruby: Resque::Plugins::Status.scheduled.
func (*policyOf) Renewed(args []any) []any {
	if len(args) > 0 && isID(args[0]) {
		args = args[1:]
	}
	if len(args) == 0 {
		args = []any{json.RawMessage("{}")}
	}
	return append([]any{newID()}, args...)
}

// isID reports whether an argument is a uuid.
func isID(arg any) bool {
	var id string
	switch arg := arg.(type) {
	case string:
		id = arg
	case json.RawMessage:
		id, _ = rubyjson.Text(arg)
	}
	raw, err := hex.DecodeString(id)
	return err == nil && len(raw) == 16
}

// KillID implements policy.Killable.
func (p *policyOf) KillID(job *policy.Job) string { return p.status(job).UUID }

// Admit implements policy.Admitter.
func (p *policyOf) Admit(job *policy.Job) []store.Need {
	name := p.class + "("
	if options := optionsOf(job.Args); options != nil && strings.Trim(string(options[0]), "{} \t\r\n") != "" {
		name = string(rubyjson.Ruby33.AppendJoined([]byte(name), options, ""))
	}
	return []store.Need{job.Store.BeginStatus(p.status(job), "status", quoted(Working), "name", text(name+")"))}
}

// End implements policy.Policy.
func (p *policyOf) End(job *policy.Job, e *policy.Ending) {
	st := p.status(job)
	if !end(st, job, e) { // it is still queued, or again
		members := slices.Concat(job.Notes.Status(), []any{"status", quoted(Queued)})
		e.Effects = append(e.Effects, job.Store.EndStatus(st, store.EndAgain, members...))
	}
}

// end adds what changes the status of a job that has ended. It returns false if the job has
// not.
func end(st store.Status, job *policy.Job, e *policy.Ending) bool {
	mode, state, message := store.EndAny, Failed, ""
	now := wire.FormatStarted(time.Now())
	switch {
	case e.Kind == policy.Done:
		mode, state, message = store.EndOpen, Completed, "Completed at "+now
	case e.Verdict.Killed || e.Kind == policy.Refused && refused(job):
		e.Kind, e.Err, e.Fail, e.Counted = policy.Vetoed, nil, false, true
		state, message = Killed, "Killed at "+now
	case e.Kind == policy.Failed, e.Kind == policy.Crashed:
		message = "The task failed because of an error: " + e.Err.Error()
	default:
		return false
	}
	members := job.Notes.Status()
	if mode != store.EndOpen || !slices.Contains(members, any("status")) { // Progress.Complete and Fail set it
		members = slices.Concat(members, []any{"status", quoted(state), "message", text(message)})
	}
	e.Effects = append(e.Effects, job.Store.EndStatus(st, mode, members...))
	return true
}

// refused reports whether the job was not admitted because it is to be killed.
func refused(job *policy.Job) bool {
	return slices.ContainsFunc(job.Got(policy.Status), func(got store.Got) bool { return got.State == store.NeedRefused })
}

// status returns the status of a job, as it is created.
//
// Ruby: Resque::Plugins::Status::Hash#initialize.
func (p *policyOf) status(job *policy.Job) store.Status {
	return p.statusOf(idOf(job.Args, workerOf(job), job.Payload))
}

func workerOf(job *policy.Job) string {
	if given, ok := job.Given.(*resque.Payload); ok {
		return given.Worker
	}
	return ""
}

func (p *policyOf) statusOf(id string) store.Status {
	now, _ := json.Marshal(time.Now().Unix())
	return store.Status{
		UUID: id, Expiry: p.expiry,
		New: []byte(`{"time":` + string(now) + `,"status":"queued","uuid":` + string(text(id)) + `}`),
	}
}

// idOf returns the uuid of a job. If the job has none, because a scheduler or another
// program pushed only its options, it is made of the job and its worker.
func idOf(args []json.RawMessage, worker string, payload []byte) string {
	if len(args) > 0 {
		if id, ok := rubyjson.Text(args[0]); ok {
			return id
		}
	}
	return madeID(worker, payload)
}

// madeID makes an id of a job and the worker that performs it.
func madeID(worker string, payload []byte) string {
	sum := sha256.Sum256([]byte(worker + " " + string(payload)))
	return hex.EncodeToString(sum[:16])
}

// optionsOf returns the options among the arguments of a job, as its only element, or nil.
func optionsOf(args []json.RawMessage) []json.RawMessage {
	for _, arg := range args[:min(len(args), 2)] {
		if len(arg) > 0 && arg[0] == '{' {
			return []json.RawMessage{arg}
		}
	}
	if len(args) > 1 {
		return args[1:2]
	}
	return nil
}

func quoted(s State) []byte { return []byte(`"` + string(s) + `"`) }

// longest is the number of bytes that a message may have.
const longest = 1024

// text returns the JSON of a text, or of its beginning.
func text(s string) []byte {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > longest {
		s = s[:longest]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
	}
	encoded, err := rubyjson.AppendString(nil, s)
	if err != nil { // not expected
		return []byte(`""`)
	}
	return encoded
}
