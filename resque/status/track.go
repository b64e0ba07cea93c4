package status

import (
	"context"
	"fmt"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// Policy is a setting that gives the jobs of a class a status whatever their arguments are,
// which do not change. The zero value works:
//
//	var Exporter = resque.Define1[int64]("Exporter", "exports", status.Policy{})
//
// A handler reports with the [Progress] that [FromContext] returns. A job has its status from
// the moment it is begun: its id is made of the job and its worker, and [JobID] returns it.
// Each attempt begins with a new status. A class that is defined with [Define] has a status
// already.
type Policy struct {
	// ExpireIn is how long a status is kept after its last change. Defaults to
	// [DefaultExpiry]. If it is negative, statuses are kept until they are cleared.
	ExpireIn time.Duration
}

var _ resque.Setting = Policy{}

// Apply implements [resque.Setting].
func (p Policy) Apply(s *resque.Settings) error {
	expiry := p.ExpireIn
	switch {
	case expiry == 0:
		expiry = DefaultExpiry
	case expiry < 0:
		expiry = 0
	case expiry < time.Second:
		return fmt.Errorf("status.Policy: ExpireIn is %v; it must be at least a second", expiry)
	}
	t := &tracked{policyOf{expiry: expiry}}
	if err := s.AddPolicy(t); err != nil {
		return err
	}
	return resque.Middleware(t.inContext).Apply(s)
}

// tracked keeps the statuses of jobs that have no id.
type tracked struct{ of policyOf }

var (
	_ policy.Admitter = (*tracked)(nil)
	_ policy.Killable = (*tracked)(nil)
)

func (*tracked) String() string { return "status.Policy" }

// Place implements policy.Policy.
func (*tracked) Place() policy.Place { return policy.Status }

// Interrupted implements policy.Policy.
func (*tracked) Interrupted() bool { return false }

// Judge implements policy.Policy.
func (t *tracked) Judge(payload []byte, err error, v *policy.Verdict) { t.of.Judge(payload, err, v) }

// KillID implements policy.Killable.
func (t *tracked) KillID(job *policy.Job) string { return t.status(job).UUID }

// Admit implements policy.Admitter. It writes over the status of an earlier attempt.
func (t *tracked) Admit(job *policy.Job) []store.Need {
	st, now := t.status(job), time.Now()
	name := []byte(job.Class + "(")
	if resque.IsEncrypted(job.Args) {
		name = append(name, resque.EncryptedArgs...)
	} else {
		name = rubyjson.Ruby33.AppendJoined(name, job.Args, ", ")
	}
	return []store.Need{
		job.Store.ListStatus(st, now),
		job.Store.BeginStatus(st, "time", fmt.Append(nil, now.Unix()), "status", quoted(Working), "name", text(string(name)+")"),
			"num", []byte("0"), "total", []byte("0"), "message", []byte("null")),
	}
}

// End implements policy.Policy. A job that goes back to its queue has no status until it is
// begun again, perhaps by another worker and so with another id.
func (t *tracked) End(job *policy.Job, e *policy.Ending) {
	if st := t.status(job); !end(st, job, e) {
		e.Effects = append(e.Effects, job.Store.ForgetStatus(st)...)
	}
}

func (t *tracked) status(job *policy.Job) store.Status {
	return t.of.statusOf(madeID(workerOf(job), job.Payload))
}

// JobID returns the id of the status of a job that a worker performs, if the class of the job
// has a [Policy]: for a job of [resque.Client.Working], for example, or in its handler.
func JobID(job *resque.Payload) (id string, ok bool) {
	if job.Worker == "" || len(job.Raw) == 0 {
		return "", false
	}
	return madeID(job.Worker, job.Raw), true
}

type progressKey struct{}

// FromContext returns the progress of the job of ctx. ok is false if the class of the job has
// no [Policy], and in an inline client or a child process without a connection to Redis.
func FromContext(ctx context.Context) (p *Progress, ok bool) {
	p, ok = ctx.Value(progressKey{}).(*Progress)
	return p, ok
}

// At sets how much of the work of the job of ctx is done, as [Progress.At] does. It does
// nothing if [FromContext] returns no progress, so code that is also called elsewhere can use
// it.
func At(ctx context.Context, num, total int, message string) error {
	if p, ok := FromContext(ctx); ok {
		return p.At(ctx, num, total, message)
	}
	return nil
}

// inContext is middleware that makes the progress of a job available to its handler.
func (t *tracked) inContext(next resque.Handler) resque.Handler {
	return resque.HandlerFunc(func(ctx context.Context, job *resque.Payload) error {
		id, ok := JobID(job)
		client, connected := resque.ClientFromContext(ctx)
		if !ok || !connected || client.Redis() == nil {
			return next.Perform(ctx, job)
		}
		p := &Progress{status: t.of.statusOf(id), client: client, ctx: ctx, policy: &t.of, last: time.Now()}
		defer p.stop()
		err := next.Perform(context.WithValue(ctx, progressKey{}, p), job)
		if err != nil {
			return err
		}
		return p.finish(ctx)
	})
}
